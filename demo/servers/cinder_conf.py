# SPDX-License-Identifier: Apache-2.0
"""The content of cinder.conf, as an operator would write it for a cloud with the Datera drivers."""

import sys
from dataclasses import dataclass
from pathlib import Path

from demo.servers.ini import Sections

SERVICE_USER = "cinder"
SERVICE_PROJECT = "service"
VOLUME_BACKEND = "datera"

PIECE = 50 * 2**20
HASHED = 2**20


@dataclass(frozen=True)
class Array:
    """A Datera cluster's address, and the certificate to trust."""

    host: str
    port: int
    username: str
    password: str
    ca_bundle: str


@dataclass(frozen=True)
class Neighbours:
    """The services that Cinder uses."""

    keystone_url: str
    service_password: str
    array: Array
    swift_auth_url: str
    swift_user: str
    swift_key: str


def cinder_sections(directory: Path, neighbours: Neighbours) -> Sections:
    """Return cinder.conf's sections.

    :param directory: for the database, locks, temporary files and the directory of the posix
        driver's backups.
    """
    array = neighbours.array
    shipped = Path(sys.prefix) / "etc" / "cinder"
    return {
        "DEFAULT": {
            "use_stderr": "true",
            "state_path": directory,
            "host": "demo",
            "transport_url": "fake://",
            "auth_strategy": "keystone",
            "api_paste_config": shipped / "api-paste.ini",
            "resource_query_filters_file": shipped / "resource_filters.json",
            "rootwrap_config": shipped / "rootwrap.conf",
            "osapi_volume_listen": "127.0.0.1",
            "osapi_volume_listen_port": 0,
            "osapi_volume_workers": 1,
            "my_ip": "127.0.0.1",
            "enabled_backends": VOLUME_BACKEND,
            # The scheduler does not have to wait for services started elsewhere.
            "scheduler_driver_init_wait_time": 1,
            "allow_availability_zone_fallback": "true",
            "backup_driver": "backup_dispatch.driver.BackupDispatcher",
            "backup_datera_secondary_backup_drivers": "swift, posix",
            "backup_datera_san_ip": array.host,
            "backup_datera_san_login": array.username,
            "backup_datera_san_password": array.password,
            "backup_datera_api_port": array.port,
            "backup_datera_ssl_cert_verify": "true",
            "backup_datera_ssl_cert_path": array.ca_bundle,
            "backup_compression_algorithm": "zstd",
            "backup_swift_url": neighbours.swift_auth_url.replace("/auth/v1.0", "/v1/AUTH_"),
            "backup_swift_auth": "single_user",
            "backup_swift_auth_version": 1,
            "backup_swift_auth_url": neighbours.swift_auth_url,
            "backup_swift_user": neighbours.swift_user,
            "backup_swift_key": neighbours.swift_key,
            "backup_posix_path": directory / "backups",
            # Both drivers hold a whole object in memory; posix's default is 2 GB.
            "backup_swift_object_size": PIECE,
            "backup_file_size": PIECE,
            "backup_swift_block_size": HASHED,
            "backup_sha_block_size_bytes": HASHED,
        },
        VOLUME_BACKEND: {
            "volume_driver": "datera_volume.driver.DateraDriver",
            "volume_backend_name": VOLUME_BACKEND,
            "san_ip": array.host,
            "san_login": array.username,
            "san_password": array.password,
            "datera_api_port": array.port,
            "driver_use_ssl": "true",
            "driver_ssl_cert_verify": "true",
            "driver_ssl_cert_path": array.ca_bundle,
        },
        "database": {
            # One writes at a time, and on a busy machine the others wait longer than 5 seconds.
            "connection": f"sqlite:///{directory / 'cinder.sqlite'}?timeout=60",
            # The cloud ends with the demo: nothing has to survive a power loss.
            "sqlite_synchronous": False,
        },
        "oslo_concurrency": {"lock_path": directory / "locks"},
        "coordination": {"backend_url": f"file://{directory / 'coordination'}"},
        "keystone_authtoken": {
            "www_authenticate_uri": neighbours.keystone_url,
            "auth_url": neighbours.keystone_url,
            "auth_type": "password",
            "username": SERVICE_USER,
            "password": neighbours.service_password,
            "project_name": SERVICE_PROJECT,
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
    }
