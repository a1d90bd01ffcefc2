# SPDX-License-Identifier: Apache-2.0
"""A backend's section of cinder.conf, read once and checked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cinder import exception
from cinder.volume import configuration as volume_configuration
from oslo_config import cfg
from oslo_config.cfg import Locations

from datera_volume.chap import SECRET_LENGTHS, Chap, Login
from datera_volume.connection import TLS, BadTenant, ClusterSettings, configured_tenant
from datera_volume.policies import BadPolicy, Policies, policies_from
from datera_volume.version import DRIVER_HEADER


@dataclass(frozen=True)
class BackendSettings:
    """One backend, checked.

    :param section: the section's name, for messages.
    :param chap: None where nothing of it is configured.
    :param tenant: as configured; see :func:`datera_volume.naming.tenant_for`.
    :param type_defaults: policies by name that apply where a type says nothing.
    :param one_replica: keep one replica, whatever else is said.
    :param timing_level: the log's level for how long each operation took; None: not at all.
    :param template_override: ask for a volume's own size where it is made from a template.
    :param image_cache: keep images that volumes are made from on the cluster.
    :param image_cache_type: id of the volume type of what is kept.
    :param extended_metadata: write what Cinder knows of a volume beside it on the cluster.
    """

    section: str
    cluster: ClusterSettings
    tenant: str | None
    chap: Chap | None
    type_defaults: Mapping[str, str]
    one_replica: bool
    timing_level: int | None = logging.DEBUG
    template_override: bool = True
    image_cache: bool = False
    image_cache_type: str | None = None
    extended_metadata: bool = True

    @property
    def default_policies(self) -> Policies:
        """What a volume without a type gets."""
        return policies_from(self.type_defaults, one_replica=self.one_replica)


def read_settings(configuration: Any) -> BackendSettings:
    """Read and check a backend's section.

    :raises InvalidConfigurationValue: a required option is missing, or a value cannot be used; the
        text names the option and the section.
    """
    section = configuration.config_group or "DEFAULT"

    def bad(reason: str) -> exception.InvalidConfigurationValue:
        return exception.InvalidConfigurationValue(f"{reason} (section [{section}])")

    def required(option: str) -> str:
        value = str(configuration.safe_get(option) or "").strip()
        if not value:
            raise bad(f"The option {option} is required by the Datera driver and is not set")
        return value

    try:
        settings = BackendSettings(
            section=section,
            cluster=ClusterSettings(
                host=required("san_ip"),
                username=required("san_login"),
                password=required("san_password"),
                api_version=str(configuration.datera_api_version),
                port=int(configuration.datera_api_port),
                tls=_tls(configuration),
                ldap_server=configuration.datera_ldap_server or None,
                busy_timeout=float(configuration.datera_503_timeout),
                busy_interval=float(configuration.datera_503_interval),
                driver_header=DRIVER_HEADER,
            ),
            tenant=configuration.datera_tenant_id,
            chap=_chap(configuration, required, bad),
            type_defaults=dict(configuration.datera_volume_type_defaults or {}),
            one_replica=bool(configuration.datera_debug_replica_count_override),
            timing_level=_timing_level(configuration),
            template_override=not configuration.datera_disable_template_override,
            image_cache=bool(configuration.datera_enable_image_cache),
            image_cache_type=configuration.datera_image_cache_volume_type_id or None,
            extended_metadata=not configuration.datera_disable_extended_metadata,
        )
        _ = settings.default_policies, configured_tenant(settings.tenant)
    except BadPolicy as exc:
        raise bad(f"datera_volume_type_defaults: {exc}") from exc
    except BadTenant as exc:
        raise bad(f"datera_tenant_id: {exc}") from exc
    except ValueError as exc:
        # The options' own bounds are checked only here, where they are read.
        raise bad(f"The Datera cluster's options are wrong: {exc}") from exc
    return settings


def _timing_level(configuration: Any) -> int | None:
    if configuration.datera_debug:
        return logging.INFO
    return None if configuration.datera_disable_profiler else logging.DEBUG


def _chap(configuration: Any, required: Any, bad: Any) -> Chap | None:
    asked = bool(configuration.safe_get("use_chap_auth"))
    if not asked and not (configuration.chap_username and configuration.chap_password):
        return None
    common = Login(required("chap_username"), required("chap_password"))
    if len(common.secret) not in SECRET_LENGTHS:
        if not asked:
            return None
        raise bad("The option chap_password must have 12 to 16 characters")
    per_volume = bool(configuration.datera_chap_secret_per_volume)
    return Chap(common, per_volume=per_volume, asked=asked)


def _tls(configuration: Any) -> TLS:
    return TLS(
        enabled=bool(configuration.safe_get("driver_use_ssl"))
        or not _set_by_operator(configuration, "driver_use_ssl"),
        verify=bool(configuration.safe_get("driver_ssl_cert_verify")),
        ca_bundle=configuration.safe_get("driver_ssl_cert_path") or None,
        client_cert=configuration.safe_get("driver_client_cert") or None,
        client_key=configuration.safe_get("driver_client_cert_key") or None,
    )


def _set_by_operator(configuration: Any, option: str) -> bool:
    """Whether the option stands in the backend's section, or in what all backends share.

    Cinder's default is False, which would mean a password in clear; so it matters who says False.
    """
    own = configuration.config_group
    groups = [own, volume_configuration.SHARED_CONF_GROUP] if own else [None]
    for group in groups:
        try:
            found = cfg.CONF.get_location(option, group)
        except (cfg.NoSuchOptError, cfg.NoSuchGroupError):
            continue
        if found and found.location not in (Locations.opt_default, Locations.set_default):
            return True
    return False
