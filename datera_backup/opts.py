# SPDX-License-Identifier: Apache-2.0
"""The options of the backup driver, for ``[DEFAULT]`` or for a section of the backend's own.

Units stand in the help, bounds in the type: a value that is out of them stops the service instead
of being mended in silence.
"""

from __future__ import annotations

from typing import Any

from oslo_config import cfg
from oslo_config import types as cfg_types

PREFIX = "backup_datera_"

CONNECTION_OPTS: list[cfg.Opt] = [
    cfg.HostAddressOpt(
        "backup_datera_san_ip",
        help="Address of the Datera cluster's management interface. Required.",
    ),
    cfg.StrOpt(
        "backup_datera_san_login",
        help="User that the backup service logs in as. Required.",
    ),
    cfg.StrOpt(
        "backup_datera_san_password",
        secret=True,
        help="Password of backup_datera_san_login. Required.",
    ),
    cfg.StrOpt(
        "backup_datera_ldap_server",
        help="LDAP server that checks the login, as the cluster names it. Unset: the cluster "
        "checks it itself.",
    ),
    cfg.PortOpt(
        "backup_datera_api_port",
        default=7717,
        help="TCP port of the management API. Left at 7717 it means 7718 where "
        "backup_datera_use_ssl is on; any other value is taken as it is.",
    ),
    cfg.StrOpt(
        "backup_datera_api_version",
        default="2.2",
        choices=["2.1", "2.2", "2.3"],
        help="Version of the management API to speak.",
    ),
    cfg.StrOpt(
        "backup_datera_tenant_id",
        default="/root",
        help="Tenant that the backups' containers of all projects are in: 'None' means /root; "
        "anything else is the name or path of a tenant, such as /root/backups. It is made where it "
        "is missing. 'Map', which datera_tenant_id knows, is refused.",
    ),
    cfg.IntOpt(
        "backup_datera_503_timeout",
        default=120,
        min=0,
        help="Seconds to keep asking a cluster that says it is busy (HTTP 503). 0 fails at once.",
    ),
    cfg.IntOpt(
        "backup_datera_503_interval",
        default=5,
        min=1,
        help="Seconds between two questions to a busy cluster.",
    ),
    cfg.BoolOpt(
        "backup_datera_use_ssl",
        default=True,
        help="Speak HTTPS to the management API. Off, the password travels in clear.",
    ),
    cfg.BoolOpt(
        "backup_datera_ssl_cert_verify",
        default=False,
        help="Verify the cluster's certificate. A cluster comes with one that it signed itself: "
        "put that, or the authority that signed a better one, into backup_datera_ssl_cert_path.",
    ),
    cfg.StrOpt(
        "backup_datera_ssl_cert_path",
        help="File or folder of the authorities to verify the cluster's certificate against. "
        "Unset: the system's.",
    ),
    cfg.StrOpt(
        "backup_datera_client_cert",
        help="File of a client certificate to show to the cluster.",
    ),
    cfg.StrOpt(
        "backup_datera_client_cert_key",
        help="File of the key of backup_datera_client_cert.",
    ),
    cfg.BoolOpt(
        "backup_datera_debug",
        default=False,
        help="Log the beginning of each operation, and the seconds that it took at INFO instead of "
        "DEBUG.",
    ),
    cfg.BoolOpt(
        "backup_datera_disable_profiler",
        default=False,
        help="Do not log the seconds that each operation took, unless backup_datera_debug is set.",
    ),
]

CONTAINER_OPTS: list[cfg.Opt] = [
    cfg.IntOpt(
        "backup_datera_replica_count",
        default=3,
        min=1,
        max=5,
        help="Copies that the cluster keeps of each container.",
    ),
    cfg.StrOpt(
        "backup_datera_placement_mode",
        default="hybrid",
        choices=["hybrid", "single_flash", "all_flash"],
        help="Media that the cluster puts containers on.",
    ),
    cfg.StrOpt(
        "backup_datera_placement_policy",
        help="Name of the placement policy of containers, which wins over "
        "backup_datera_placement_mode. Products before 3.3 have none and ignore it.",
    ),
    cfg.IntOpt(
        "backup_datera_container_max_size",
        default=32768,
        min=1,
        max=262144,
        help="GiB that one container may grow to. A container holds a full backup and the "
        "incrementals after it; what would not fit any more, however badly it compresses, starts "
        "a new one. Containers are thin: room that is not written to costs nothing. The default "
        "is the largest volume that API 2.1 takes.",
    ),
    cfg.IntOpt(
        "backup_datera_chunk_size",
        default=1,
        min=1,
        max=64,
        help="GB (GiB) of the volume that progress notifications, and the number of objects in a "
        "backup's record, count by. It does not change what is stored.",
    ),
]

ENGINE_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "backup_datera_compression_algorithm",
        default="zstd",
        choices=["zstd", "lz4", "zlib", "none"],
        help="How blocks are compressed. A block that does not shrink is stored as it is. lz4 "
        "needs the Python package lz4, here and wherever such a backup is restored.",
    ),
    cfg.IntOpt(
        "backup_datera_compression_level",
        default=1,
        min=-7,
        max=19,
        help="Level of the compression: higher is smaller and slower. zlib knows 1 to 9, lz4 -7 "
        "to 12, zstd all.",
    ),
    cfg.StrOpt(
        "backup_datera_digest",
        default="sha256",
        choices=["sha256", "blake3"],
        help="Cryptographic digest that blocks are compared and verified by. blake3 is quicker, "
        "and needs the Python package blake3, here and wherever such a backup is restored. "
        "Incrementals keep the digest of their full backup.",
    ),
    cfg.Opt(
        "backup_datera_block_size",
        type=cfg_types.Integer(choices=[64, 128, 256, 512, 1024, 2048, 4096]),
        default=64,
        help="KiB of one block: what is compared, compressed and verified as one. An incremental "
        "stores a whole block for any change in it. Incrementals keep the block size of their "
        "full backup.",
    ),
    cfg.IntOpt(
        "backup_datera_workers",
        default=0,
        min=0,
        max=64,
        help="Native threads that compress for one backup, or decompress for one restore. "
        "0: one for each processor, at most 8.",
    ),
    cfg.IntOpt(
        "backup_datera_read_ahead",
        default=0,
        min=0,
        max=1024,
        help="MiB that may be read and not yet be written, in one backup or restore. It takes up "
        "to twice as much memory. 0: 4 for each worker.",
    ),
    cfg.IntOpt(
        "backup_datera_backup_bandwidth",
        default=0,
        min=0,
        help="Bytes of the volume that one backup reads in a second at most. Holes are not read. "
        "0: no limit.",
    ),
    cfg.IntOpt(
        "backup_datera_restore_bandwidth",
        default=0,
        min=0,
        help="Bytes of the volume that one restore writes, or one verification looks at, in a "
        "second at most. 0: no limit.",
    ),
    cfg.IntOpt(
        "backup_datera_max_concurrency",
        default=8,
        min=0,
        help="Backups and restores that run at once in one process of the service; further ones "
        "wait. 0: no limit.",
    ),
    cfg.BoolOpt(
        "backup_datera_progress_timer",
        default=False,
        help="Send a progress notification every backup_timer_interval seconds while a backup "
        "runs, besides one every backup_object_number_per_notification chunks.",
    ),
]

OPTS: list[cfg.Opt] = CONNECTION_OPTS + CONTAINER_OPTS + ENGINE_OPTS

REQUIRED = ("backup_datera_san_ip", "backup_datera_san_login", "backup_datera_san_password")
"""What has no default and must be set."""


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Every option with the group it is read from, for ``oslo-config-generator``."""
    return [("DEFAULT", OPTS)]


def section_of(configuration: Any) -> str:
    """The name of the section that ``configuration`` reads first, for messages."""
    return str(getattr(configuration, "config_group", None) or "DEFAULT")
