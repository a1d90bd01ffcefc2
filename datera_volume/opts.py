# SPDX-License-Identifier: Apache-2.0
"""The volume driver's options, in its backend's section of cinder.conf.

Cinder's in-tree Datera driver has options of the same names and may be loaded in the same process:
these are registered in the backend's group only, and a registration that is already there stands.
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
        help="Port of the Datera management API. Left at 7717 while TLS is on, it means 7718.",
    ),
    cfg.StrOpt(
        "datera_api_version",
        default="2.2",
        choices=list(zip(API_VERSIONS, _PRODUCTS, strict=True)),
        help="Version of the Datera API to speak.",
    ),
    cfg.StrOpt(
        "datera_tenant_id",
        help="The tenant that volumes are put in. 'Map' gives each OpenStack project a tenant of "
        "its own; unset or 'None' means /root; anything else is the name or path of a tenant. A "
        "tenant that is missing is made.",
    ),
    cfg.IntOpt(
        "datera_503_timeout",
        default=120,
        min=0,
        help="Seconds to go on asking a cluster that is busy (HTTP 503) or cannot be connected to. "
        "0 fails at once.",
    ),
    cfg.IntOpt(
        "datera_503_interval",
        default=5,
        min=1,
        help="Seconds between two such attempts; up to a fifth is added at random.",
    ),
    cfg.StrOpt("datera_ldap_server", help="LDAP server that the user is logged in against."),
    cfg.BoolOpt(
        "datera_chap_secret_per_volume",
        default=True,
        help="With use_chap_auth: give each volume a CHAP user and secret of its own, derived from "
        "chap_username and chap_password, so that a host that is let in to one volume learns "
        "nothing of another's. A volume that is attached keeps what it has until no host is left.",
    ),
    cfg.BoolOpt(
        "datera_debug",
        default=False,
        help="Log each operation of the driver, and the seconds it took, at level INFO instead of "
        "DEBUG.",
    ),
    cfg.BoolOpt(
        "datera_disable_profiler",
        default=False,
        help="Do not log the seconds that each operation took, unless datera_debug is set.",
    ),
    cfg.BoolOpt(
        "datera_debug_replica_count_override",
        default=False,
        help="FOR TESTS ONLY: keep one replica of every new volume, whatever its type says.",
    ),
    cfg.DictOpt(
        "datera_volume_type_defaults",
        default={},
        help="What applies where a volume's type does not say it, and to volumes without a type: "
        "the names of the extra specs WITHOUT the prefix 'DF:', for example "
        "'total_iops_max:500,replica_count:2'.",
    ),
    cfg.BoolOpt(
        "datera_disable_template_override",
        default=False,
        help="Do not ask for a volume's own size where it is made from a template. One that "
        "is smaller than the template says is then refused.",
    ),
    cfg.BoolOpt(
        "datera_enable_image_cache",
        default=False,
        help="Keep each raw image that a volume is made from as a volume on the cluster, and clone "
        "that for the next.",
    ),
    cfg.StrOpt(
        "datera_image_cache_volume_type_id",
        help="Id of the volume type of the cached images; without it they are of the type of the "
        "volume that is made first.",
    ),
    cfg.BoolOpt(
        "datera_disable_extended_metadata",
        default=False,
        help="Do not write the volume's name, host and the like into the metadata of its app "
        "instance.",
    ),
]


def register(configuration: Any) -> None:
    """Register the options with a backend's configuration, beside whoever did so before."""
    for opt in OPTS:
        try:
            configuration.append_config_values([opt])
        except cfg.DuplicateOptError:
            # The in-tree driver's, in [DEFAULT]: same name and meaning.
            continue


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return the options for the sample configuration."""
    return [("backend_defaults", OPTS)]
