# SPDX-License-Identifier: Apache-2.0
"""The options of the backup driver, for ``[DEFAULT]`` or for a section of the backend's own.

Units are in the help, bounds in the type: a value out of bounds stops the service instead of being
corrected silently.
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
        help="User name for the cluster's management API. Required.",
    ),
    cfg.StrOpt(
        "backup_datera_san_password",
        secret=True,
        help="Password of backup_datera_san_login. Required.",
    ),
    cfg.StrOpt(
        "backup_datera_ldap_server",
        help="LDAP server that authenticates the user, by its name on the cluster. Unset: the "
        "cluster authenticates the user itself.",
    ),
    cfg.PortOpt(
        "backup_datera_api_port",
        default=7717,
        help="TCP port of the management API. The default, 7717, means 7718 if "
        "backup_datera_use_ssl is true; any other value is used as is.",
    ),
    cfg.StrOpt(
        "backup_datera_api_version",
        default="2.2",
        choices=["2.1", "2.2", "2.3"],
        help="Version of the management API to use.",
    ),
    cfg.StrOpt(
        "backup_datera_tenant_id",
        default="/root",
        help="Tenant that holds the backup containers of all projects. 'None' means /root; any "
        "other value is the name or path of a tenant, such as /root/backups, which is created "
        "if it does not exist. 'Map', which datera_tenant_id accepts, is invalid here.",
    ),
    cfg.IntOpt(
        "backup_datera_503_timeout",
        default=120,
        min=0,
        help="Seconds to keep retrying while the cluster is busy (HTTP 503). 0: fail at once.",
    ),
    cfg.IntOpt(
        "backup_datera_503_interval",
        default=5,
        min=1,
        help="Seconds between two retries while the cluster is busy.",
    ),
    cfg.BoolOpt(
        "backup_datera_use_ssl",
        default=True,
        help="Use HTTPS for the management API. If false, the password is sent in cleartext.",
    ),
    cfg.BoolOpt(
        "backup_datera_ssl_cert_verify",
        default=False,
        help="Verify the cluster's certificate. Clusters ship with a self-signed certificate: set "
        "backup_datera_ssl_cert_path to it, or to the CA that signed its replacement.",
    ),
    cfg.StrOpt(
        "backup_datera_ssl_cert_path",
        help="CA file or directory to verify the cluster's certificate with. Unset: the system's "
        "CA certificates.",
    ),
    cfg.StrOpt(
        "backup_datera_client_cert",
        help="Path of the client certificate to present to the cluster.",
    ),
    cfg.StrOpt(
        "backup_datera_client_cert_key",
        help="Path of the private key of backup_datera_client_cert.",
    ),
    cfg.BoolOpt(
        "backup_datera_debug",
        default=False,
        help="Log the start of each operation, and its duration at INFO instead of DEBUG.",
    ),
    cfg.BoolOpt(
        "backup_datera_disable_profiler",
        default=False,
        help="Do not log the duration of operations, unless backup_datera_debug is true.",
    ),
]

CONTAINER_OPTS: list[cfg.Opt] = [
    cfg.IntOpt(
        "backup_datera_replica_count",
        default=3,
        min=1,
        max=5,
        help="Number of replicas that the cluster keeps of each container.",
    ),
    cfg.StrOpt(
        "backup_datera_placement_mode",
        default="hybrid",
        choices=["hybrid", "single_flash", "all_flash"],
        help="Media that the cluster places containers on.",
    ),
    cfg.StrOpt(
        "backup_datera_placement_policy",
        help="Name of the placement policy for containers; overrides backup_datera_placement_mode. "
        "Products before 3.3 have no placement policies and ignore it.",
    ),
    cfg.IntOpt(
        "backup_datera_container_max_size",
        default=32768,
        min=1,
        max=262144,
        help="Maximum size of a container in GiB. A container holds a full backup and the "
        "incrementals after it; an incremental that might not fit, if no block compresses, "
        "starts a new container. Containers are thin-provisioned: unwritten space costs "
        "nothing. The default is the largest volume that API 2.1 allows.",
    ),
    cfg.IntOpt(
        "backup_datera_chunk_size",
        default=1,
        min=1,
        max=64,
        help="GB (GiB) of the volume per object: the unit of progress notifications and of a "
        "backup's object count. It does not change what is stored.",
    ),
]

ENGINE_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "backup_datera_compression_algorithm",
        default="zstd",
        choices=["zstd", "lz4", "zlib", "none"],
        help="Compression algorithm for blocks. A block that does not shrink is stored "
        "uncompressed. lz4 requires the Python package lz4, here and wherever such a backup "
        "is restored.",
    ),
    cfg.IntOpt(
        "backup_datera_compression_level",
        default=1,
        min=-7,
        max=19,
        help="Compression level: higher is smaller and slower. zlib accepts 1 to 9, lz4 -7 to 12, "
        "zstd the whole range.",
    ),
    cfg.StrOpt(
        "backup_datera_digest",
        default="blake3",
        choices=["blake3", "sha256"],
        help="Cryptographic digest to compare and verify blocks with. blake3 is faster, and "
        "requires the Python package blake3, here and wherever such a backup is restored; the "
        "extra [datera] installs it. Incrementals keep the digest of their full backup.",
    ),
    cfg.Opt(
        "backup_datera_block_size",
        type=cfg_types.Integer(choices=[64, 128, 256, 512, 1024, 2048, 4096]),
        default=64,
        help="Block size in KiB: the unit of comparison, compression and verification. An "
        "incremental stores the whole block for any change in it. Incrementals keep the block "
        "size of their full backup.",
    ),
    cfg.IntOpt(
        "backup_datera_workers",
        default=0,
        min=0,
        max=64,
        help="Number of native threads that compress for one backup, or decompress for one "
        "restore. 0: one per processor, at most 8.",
    ),
    cfg.IntOpt(
        "backup_datera_requests",
        default=24,
        min=1,
        max=64,
        help="Maximum number of reads and writes of the volume and the containers that are in "
        "progress at once, per backup or restore. More of them help where storage answers "
        "slowly; each is a native thread, and up to 2 MiB of memory: 1 that is read, and 1 that a "
        "restore writes.",
    ),
    cfg.IntOpt(
        "backup_datera_read_ahead",
        default=0,
        min=0,
        max=1024,
        help="Maximum MiB that are being read or compressed, per backup or restore. What is being "
        "written comes on top: up to four segments of 8 MiB in a backup, "
        "backup_datera_requests MiB in a restore, and an eighth more; so do 1 MiB (or one block, "
        "if that is larger) per worker, and 12 MiB of unused buffers. 0: 1 per request and 2 per "
        "worker.",
    ),
    cfg.IntOpt(
        "backup_datera_backup_bandwidth",
        default=0,
        min=0,
        help="Maximum bytes per second that one backup reads from the volume; holes are not read. "
        "0: no limit.",
    ),
    cfg.IntOpt(
        "backup_datera_restore_bandwidth",
        default=0,
        min=0,
        help="Maximum bytes of the volume per second that one restore writes, or one verification "
        "checks. 0: no limit.",
    ),
    cfg.IntOpt(
        "backup_datera_max_concurrency",
        default=8,
        min=0,
        help="Maximum number of backups and restores that run at once in one process of the "
        "service; further ones wait. 0: no limit.",
    ),
    cfg.BoolOpt(
        "backup_datera_progress_timer",
        default=False,
        help="Send a progress notification every backup_timer_interval seconds during a backup, in "
        "addition to one every backup_object_number_per_notification objects.",
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
