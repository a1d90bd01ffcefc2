# SPDX-License-Identifier: Apache-2.0
"""The options of one backend, read once and checked, as a value."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from oslo_config import cfg

from datera_backup import naming
from datera_backup.container import (
    CHUNK_BLOCKS,
    GIB,
    KIB,
    MIB,
    Codec,
    Digest,
    Geometry,
    PackageMissing,
)
from datera_backup.container.format.codec import compressor
from datera_backup.container.format.geometry import digest_function
from datera_backup.engine import EngineSettings
from datera_backup.errors import OptionsInvalid, OptionsMissing
from datera_backup.opts import OPTS, REQUIRED, section_of
from datera_backup.version import VERSION
from datera_volume.connection import (
    TLS,
    BadTenant,
    ClusterSettings,
    OptionNames,
    configured_tenant,
    is_reference,
)

MOST_WORKERS = 8
CODECS = {"zstd": Codec.ZSTD, "lz4": Codec.LZ4, "zlib": Codec.ZLIB, "none": Codec.RAW}
DIGESTS = {"sha256": Digest.SHA256, "blake3": Digest.BLAKE3}
LEVELS = {"zlib": range(1, 10), "lz4": range(-7, 13)}

DISPATCHER = "backup_dispatch.driver.BackupDispatcher"
SECONDARIES = "backup_datera_secondary_backup_drivers"


@dataclass(frozen=True)
class BackupSettings:
    """What the driver needs to know. Sizes of containers are in GiB, all others in bytes."""

    cluster: ClusterSettings
    tenant: str
    """Its absolute path."""
    replica_count: int
    placement_mode: str
    placement_policy: str | None
    container_max_gib: int
    chunk_size: int
    """What progress and a record's object count go by."""
    geometry: Geometry
    engine: EngineSettings
    max_concurrency: int
    progress_timer: bool
    debug: bool
    timing_level: int | None
    """The log level for the duration of each operation; None: not logged."""


def read_settings(configuration: Any) -> BackupSettings:
    """Read every option, so that a bad value shows at once.

    :param configuration: anything whose attributes are the options.
    :raises OptionsMissing: a required option is not set.
    :raises OptionsInvalid: a value cannot be used.
    """
    section = section_of(configuration)
    missing = [name for name in REQUIRED if not getattr(configuration, name)]
    if missing:
        raise OptionsMissing(missing, section)

    def option(name: str) -> Any:
        return getattr(configuration, f"backup_datera_{name}")

    try:
        _refuse_no_value(configuration)
        return BackupSettings(
            cluster=_cluster_settings(configuration),
            tenant=_tenant(option("tenant_id")),
            replica_count=option("replica_count"),
            placement_mode=option("placement_mode"),
            placement_policy=_placement_policy(option("placement_policy")),
            container_max_gib=option("container_max_size"),
            chunk_size=option("chunk_size") * GIB,
            geometry=Geometry(
                block_size=option("block_size") * KIB,
                chunk_size=CHUNK_BLOCKS * option("block_size") * KIB,
                digest=_digest(option("digest")),
            ),
            engine=_engine_settings(configuration),
            max_concurrency=option("max_concurrency"),
            progress_timer=option("progress_timer"),
            debug=option("debug"),
            timing_level=_timing_level(option("debug"), option("disable_profiler")),
        )
    except PackageMissing as absent:
        raise OptionsInvalid(f"Section [{section}] of cinder.conf: {absent}") from absent
    except (ValueError, cfg.ConfigFileValueError) as problem:
        raise OptionsInvalid(
            f"Section [{section}] of cinder.conf: {str(problem).rstrip('.')}. Correct it."
        ) from problem


def _refuse_no_value(configuration: Any) -> None:
    """Refuse a number that is set to nothing: to oslo.config it is None, not the default."""
    for opt in OPTS:
        if opt.default is not None and getattr(configuration, opt.dest) is None:
            raise ValueError(f"{opt.dest} has no value")


def _tenant(setting: str | None) -> str:
    try:
        path = configured_tenant(setting)
    except BadTenant as wrong:
        raise ValueError(f"backup_datera_tenant_id: {wrong}") from wrong
    if path is None:
        raise ValueError(
            f"backup_datera_tenant_id is {setting}, but the backups of all projects are kept in "
            "one tenant. Set it to the name or path of that tenant, or to None for /root"
        )
    try:
        naming.service_metadata(path, UUID(int=0))
    except ValueError as wrong:
        raise ValueError(f"backup_datera_tenant_id is {setting}: {wrong} for a record") from wrong
    return path


def _placement_policy(setting: str | None) -> str | None:
    text = (setting or "").strip()
    if text and not is_reference(text):
        raise ValueError(
            f"backup_datera_placement_policy is {text!r}, which is not a valid name on the cluster"
        )
    return text or None


def _cluster_settings(configuration: Any) -> ClusterSettings:
    def option(name: str) -> Any:
        return getattr(configuration, f"backup_datera_{name}")

    return ClusterSettings(
        host=str(option("san_ip")),
        username=option("san_login"),
        password=option("san_password"),
        api_version=option("api_version"),
        port=option("api_port"),
        tls=TLS(
            enabled=option("use_ssl"),
            verify=option("ssl_cert_verify"),
            ca_bundle=option("ssl_cert_path"),
            client_cert=option("client_cert"),
            client_key=option("client_cert_key"),
        ),
        ldap_server=option("ldap_server"),
        busy_timeout=option("503_timeout"),
        busy_interval=option("503_interval"),
        driver_header=f"OpenStack-Cinder-Backup-{VERSION}",
        names=OptionNames("backup_datera_", "backup_datera_"),
    )


def _engine_settings(configuration: Any) -> EngineSettings:
    def option(name: str) -> Any:
        return getattr(configuration, f"backup_datera_{name}")

    algorithm, level = option("compression_algorithm"), option("compression_level")
    known = LEVELS.get(algorithm)
    if known is not None and level not in known:
        raise ValueError(
            f"backup_datera_compression_level is {level}, but {algorithm} accepts {known[0]} "
            f"to {known[-1]}"
        )
    with _named("compression_algorithm", algorithm, instead="zstd"):
        compressor(CODECS[algorithm], level)
    return EngineSettings(
        workers=option("workers") or min(len(os.sched_getaffinity(0)), MOST_WORKERS),
        requests=option("requests"),
        depth=option("read_ahead") * MIB // EngineSettings.batch_size,
        codec=CODECS[algorithm],
        level=level,
        backup_rate=option("backup_bandwidth"),
        restore_rate=option("restore_bandwidth"),
    )


def _digest(name: str) -> Digest:
    with _named("digest", name, instead="sha256"):
        digest_function(DIGESTS[name])
    return DIGESTS[name]


@contextmanager
def _named(option: str, value: str, *, instead: str) -> Iterator[None]:
    """Miss a package now, not in the first backup, and name the option: it may be at its default.

    :param instead: a value that needs no further package.
    """
    try:
        yield
    except PackageMissing as absent:
        name = f"backup_datera_{option}"
        raise PackageMissing(f"{name} is {value}. {absent}, or set {name} = {instead}.") from absent


def _timing_level(debug: bool, disable_profiler: bool) -> int | None:
    if debug:
        return logging.INFO
    return None if disable_profiler else logging.DEBUG


def refuse_ignored_secondaries(configuration: Any, class_paths: tuple[str, ...]) -> None:
    """Refuse secondary backup drivers that nothing would ever call.

    They are the dispatcher's to serve: where ``backup_driver`` names this driver itself, every
    backup would silently go to Datera, whatever its name says.

    :param class_paths: what ``backup_driver`` may say to mean this driver.
    :raises OptionsInvalid: that is so.
    """
    try:
        secondaries = getattr(configuration, SECONDARIES)
    except AttributeError:  # cfg.NoSuchOptError is one: the option is not registered
        secondaries = _unregistered(configuration, SECONDARIES)
    if secondaries and getattr(configuration, "backup_driver", None) in class_paths:
        raise OptionsInvalid(
            f"{SECONDARIES} is set, but backup_driver names the Datera driver itself, which "
            f"would ignore it: change the line to backup_driver = {DISPATCHER}"
        )


def _unregistered(configuration: Any, name: str) -> Any:
    """Read an option of the dispatcher, whose options a service that runs without it lacks."""
    aside = cfg.ConfigOpts()
    aside.register_opt(cfg.Opt(name, type=str))
    files = [str(file) for file in getattr(configuration, "config_file", None) or []]
    folders = [str(folder) for folder in getattr(configuration, "config_dir", None) or []]
    aside([], default_config_files=files, default_config_dirs=folders)
    return getattr(aside, name)
