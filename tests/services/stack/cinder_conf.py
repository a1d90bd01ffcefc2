# SPDX-License-Identifier: Apache-2.0
"""The content of cinder.conf, as the operator of this cloud would write it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.servers.cinder_conf import Array
from demo.servers.ini import Sections
from tests.services.install import root_command
from tests.services.stack.servers.ceph import VOLUMES_POOL, Ceph
from tests.services.stack.servers.loopback import HOST

DISPATCHER = "backup_dispatch.driver.BackupDispatcher"
BACKENDS = ("datera", "ceph", "swift", "s3", "swift_v1")
VOLUME_BACKENDS = ("array", "rbd")
BUCKET = "cinder-backups"
RPC_SECONDS = 120
OBJECT = 32 * 2**20
HASHED = 64 * 2**10


@dataclass(frozen=True)
class Neighbours:
    """The services that Cinder uses: URLs, logins, files."""

    messages_url: str
    database_url: str
    locks_url: str
    keystone: Mapping[str, str]
    array: Array
    ceph: Ceph
    swift_v1: Mapping[str, str]


def cinder_sections(
    directory: Path, api_port: int, backup_driver: str, neighbours: Neighbours
) -> Sections:
    """Return the sections that all services share; each host's own file adds its name."""
    array, ceph = neighbours.array, neighbours.ceph
    shipped = Path(sys.prefix) / "etc" / "cinder"
    program = Path(sys.prefix) / "bin" / "privsep-helper"
    helper = " ".join([*root_command(), str(program), "--config-file", f"{directory}/cinder.conf"])
    return {
        "DEFAULT": {
            "debug": "true",
            "use_stderr": "true",
            "transport_url": neighbours.messages_url,
            "auth_strategy": "keystone",
            "api_paste_config": shipped / "api-paste.ini",
            "resource_query_filters_file": shipped / "resource_filters.json",
            "rootwrap_config": shipped / "rootwrap.conf",
            "osapi_volume_listen": HOST,
            "osapi_volume_listen_port": api_port,
            "osapi_volume_workers": 1,
            "my_ip": HOST,
            "enabled_backends": ", ".join(VOLUME_BACKENDS),
            "scheduler_driver_init_wait_time": 1,
            "allow_availability_zone_fallback": "true",
            "backup_use_same_host": "false",
            "report_interval": 2,
            # A host reports its capabilities when it starts, and again every few seconds.
            "periodic_interval": 5,
            "periodic_fuzzy_delay": 0,
            "backup_driver_stats_polling_interval": 10,
            "backend_stats_polling_interval": 10,
            # As in a cloud: a service without a heartbeat for that long is down.
            "service_down_time": 60,
            # With a busy processor, a response takes long.
            "rpc_response_timeout": RPC_SECONDS,
            "backup_driver": backup_driver,
            **dispatching(array, ceph),
        },
        **backup_backends(neighbours),
        "array": array_backend(array, "array", tenant="Map"),
        "rbd": {
            "volume_driver": "cinder.volume.drivers.rbd.RBDDriver",
            "volume_backend_name": "rbd",
            "rbd_pool": VOLUMES_POOL,
            "rbd_ceph_conf": ceph.conf,
            # The backup driver needs a name, even with authentication disabled.
            "rbd_user": ceph.user,
            "rbd_cluster_name": ceph.name,
        },
        "database": {"connection": neighbours.database_url},
        "oslo_messaging_rabbit": {
            "rabbit_quorum_queue": "false",
            "heartbeat_timeout_threshold": 60,
        },
        "coordination": {"backend_url": neighbours.locks_url},
        "privsep_osbrick": {"helper_command": helper},
        "cinder_sys_admin": {"helper_command": helper},
        "keystone_authtoken": {
            "www_authenticate_uri": neighbours.keystone["auth_url"],
            "auth_type": "password",
            **neighbours.keystone,
        },
    }


def array_backend(array: Array, name: str, *, tenant: str) -> dict[str, object]:
    """Return the lines of a volume backend on the Datera cluster."""
    return {
        "volume_driver": "datera_volume.driver.DateraDriver",
        "volume_backend_name": name,
        "datera_tenant_id": tenant,
        "san_ip": array.host,
        "san_login": array.username,
        "san_password": array.password,
        "datera_api_port": array.port,
        "datera_503_timeout": 10,
        "datera_503_interval": 1,
        "driver_use_ssl": "true",
        "driver_ssl_cert_verify": "true",
        "driver_ssl_cert_path": array.ca_bundle,
    }


def dispatching(array: Array, ceph: Ceph) -> dict[str, object]:
    """Return the lines of ``[DEFAULT]`` for the dispatcher and for all backends."""
    return {
        "enabled_backup_backends": ", ".join(BACKENDS),
        "backup_datera_san_ip": array.host,
        "backup_datera_san_login": array.username,
        "backup_datera_san_password": array.password,
        "backup_datera_api_port": array.port,
        "backup_datera_ssl_cert_verify": "true",
        "backup_datera_ssl_cert_path": array.ca_bundle,
        "backup_datera_503_timeout": 10,
        "backup_datera_503_interval": 1,
        "backup_compression_algorithm": "zstd",
        "backup_driver_init_check_interval": 5,
        **ceph.backup_options,
    }


def backup_backends(neighbours: Neighbours) -> dict[str, dict[str, object]]:
    """Return a section for each backup backend that needs one."""
    ceph, pieces = (
        neighbours.ceph,
        {"backup_swift_object_size": OBJECT, "backup_swift_block_size": HASHED},
    )
    return {
        "swift": {"backup_driver": "swift", "backup_swift_auth": "per_user", **pieces},
        "swift_v1": {
            "backup_driver": "swift",
            "backup_swift_auth": "single_user",
            "backup_swift_auth_version": 1,
            **neighbours.swift_v1,
            **pieces,
        },
        "s3": {
            "backup_driver": "s3",
            "backup_s3_endpoint_url": ceph.s3_url,
            "backup_s3_store_access_key": ceph.access_key,
            "backup_s3_store_secret_key": ceph.secret_key,
            "backup_s3_store_bucket": BUCKET,
            "backup_s3_object_size": OBJECT,
            "backup_s3_block_size": HASHED,
            "backup_s3_retry_max_attempts": 2,
            "backup_s3_timeout": 60,
        },
    }
