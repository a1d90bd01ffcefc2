# SPDX-License-Identifier: Apache-2.0
"""The volume driver's options, in its backend's section of cinder.conf.

Cinder's in-tree Datera driver has options of the same names and may be loaded in the same process:
these are registered in the backend's group only, and an existing registration is kept.
"""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from datera_volume.connection import API_VERSIONS

_PRODUCTS = ("any product", "products from 3.0 on", "products that offer it, from 3.3 on")

OPTS: list[cfg.Opt] = [
    cfg.PortOpt(
        "datera_api_port",
        default=7717,
        help="Port of the Datera management API. With TLS, the default 7717 means 7718.",
    ),
    cfg.StrOpt(
        "datera_api_version",
        default="2.2",
        choices=list(zip(API_VERSIONS, _PRODUCTS, strict=True)),
        help="Version of the Datera API to use.",
    ),
    cfg.StrOpt(
        "datera_tenant_id",
        help="Tenant that volumes are created in. 'Map': one tenant for each OpenStack project; "
        "unset or 'None': /root; otherwise the name or path of a tenant. A missing tenant is "
        "created.",
    ),
    cfg.IntOpt(
        "datera_503_timeout",
        default=120,
        min=0,
        help="Seconds to retry while the cluster is busy (HTTP 503) or unreachable. 0: no retry.",
    ),
    cfg.IntOpt(
        "datera_503_interval",
        default=5,
        min=1,
        help="Seconds between two retries, plus up to 20 % at random.",
    ),
    cfg.StrOpt("datera_ldap_server", help="LDAP server that authenticates the user."),
    cfg.BoolOpt(
        "datera_chap_secret_per_volume",
        default=True,
        help="With use_chap_auth: use a CHAP user and secret of its own for each volume, derived "
        "from chap_username and chap_password, so that a host that has access to one volume does "
        "not learn the secret of another. An attached volume keeps its credentials until it is "
        "detached from every host.",
    ),
    cfg.BoolOpt(
        "datera_debug",
        default=False,
        help="Log each operation of the driver and its duration at level INFO instead of DEBUG.",
    ),
    cfg.BoolOpt(
        "datera_disable_profiler",
        default=False,
        help="Do not log the duration of each operation, unless datera_debug is set.",
    ),
    cfg.BoolOpt(
        "datera_debug_replica_count_override",
        default=False,
        help="FOR TESTING ONLY: create every volume with one replica, whatever its type sets.",
    ),
    cfg.DictOpt(
        "datera_volume_type_defaults",
        default={},
        help="Defaults of extra specs, for volume types that do not set them and for volumes "
        "without a type; names WITHOUT the prefix 'DF:', for example "
        "'total_iops_max:500,replica_count:2'.",
    ),
    cfg.BoolOpt(
        "datera_disable_template_override",
        default=False,
        help="Do not override a template's size with the volume's own. A volume that is smaller "
        "than its template is then refused.",
    ),
    cfg.BoolOpt(
        "datera_enable_image_cache",
        default=False,
        help="Cache each raw image that a volume is created from as a volume on the cluster, and "
        "clone further volumes from that.",
    ),
    cfg.StrOpt(
        "datera_image_cache_volume_type_id",
        help="Id of the volume type of cached images; by default the type of the first volume that "
        "is created from the image.",
    ),
    cfg.BoolOpt(
        "datera_disable_extended_metadata",
        default=False,
        help="Do not write the volume's name, host and further properties into the metadata of its "
        "app instance.",
    ),
]


def register(configuration: Any) -> None:
    """Register the options with a backend's configuration; existing ones are kept."""
    for opt in OPTS:
        try:
            configuration.append_config_values([opt])
        except cfg.DuplicateOptError:
            # The in-tree driver's, in [DEFAULT]: same name and meaning.
            continue


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return the options for the sample configuration."""
    return [("backend_defaults", OPTS)]
