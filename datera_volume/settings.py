# SPDX-License-Identifier: Apache-2.0
"""A backend's section of cinder.conf, read once and validated."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cinder import exception
from cinder.volume import configuration as volume_configuration
from oslo_config import cfg
from oslo_config.cfg import Locations

from datera_volume.connection import (
    CHAP_SECRET_LENGTHS,
    NAME_RULE,
    TLS,
    BadTenant,
    ClusterSettings,
    configured_tenant,
    is_name,
)
from datera_volume.operations.chap import Chap, Credentials
from datera_volume.opts import OPTS
from datera_volume.policies import BadPolicy, Policies, policies_from
from datera_volume.version import DRIVER_HEADER


@dataclass(frozen=True)
class BackendSettings:
    """One backend, validated.

    :param section: the section's name, for messages.
    :param chap: None where CHAP is not configured.
    :param tenant: as configured; see :func:`datera_volume.operations.naming.tenant_for`.
    :param type_defaults: extra specs that apply where a type does not set them.
    :param one_replica: create every volume with one replica.
    :param timing_level: log level for the duration of each operation; None: not logged.
    :param template_override: override a template's size with the volume's own.
    :param image_cache: cache images on the cluster.
    :param image_cache_type: id of the volume type of cached images.
    :param extended_metadata: write Cinder's properties of a volume into its metadata.
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
        """The policies of a volume without a type."""
        return policies_from(self.type_defaults, one_replica=self.one_replica)


def read_settings(configuration: Any) -> BackendSettings:
    """Read and validate a backend's section.

    :raises InvalidConfigurationValue: a required option is missing, or a value is invalid; the
        message names the option and the section.
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
        for opt in OPTS:
            # A number that is set to nothing is None to oslo.config, not the default.
            if opt.default is not None and getattr(configuration, opt.dest) is None:
                raise bad(f"The option {opt.dest} has no value; set it, or take the line out")
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
        # oslo.config checks an option's bounds only when it is read.
        raise bad(f"Invalid options of the Datera cluster: {exc}") from exc
    return settings


def _timing_level(configuration: Any) -> int | None:
    if configuration.datera_debug:
        return logging.INFO
    return None if configuration.datera_disable_profiler else logging.DEBUG


def _chap(configuration: Any, required: Any, bad: Any) -> Chap | None:
    asked = bool(configuration.safe_get("use_chap_auth"))
    if not asked and not (configuration.chap_username and configuration.chap_password):
        return None
    common = Credentials(required("chap_username"), required("chap_password"))
    wrong = _wrong_with(common)
    if wrong and asked:
        raise bad(wrong)
    # Without use_chap_auth these are the credentials of volumes that are still attached with CHAP;
    # with values that no cluster accepts, none is.
    per_volume = bool(configuration.datera_chap_secret_per_volume)
    return None if wrong else Chap(common, per_volume=per_volume, asked=asked)


def _wrong_with(login: Credentials) -> str | None:
    if not is_name(login.username):
        return f"The option chap_username is {login.username!r}; it must be {NAME_RULE}"
    if len(login.secret) not in CHAP_SECRET_LENGTHS:
        return "The option chap_password must have 12 to 16 characters"
    return None


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
    """Whether the option is set in the backend's section, or in the one that all backends share.

    Cinder's default is False, which would send the password in cleartext; so an explicit False
    must be told from the default.
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
