# SPDX-License-Identifier: Apache-2.0
"""A real Swift on free loopback ports: proxy, account, container, object server in one process.

``python -m demo.servers.swift_server DIR`` serves until it is terminated, and reports on standard
output when it is ready. Tests and the demo use the class `SwiftServer`, which starts exactly that::

    with SwiftServer(directory) as swift:
        swiftclient.Connection(authurl=swift.auth_url, user=swift.user, key=swift.key)

One replica, one device (a directory), tempauth for the users, tokens sealed rather than stored, so
no memcached is needed. The S3 API is enabled (`SwiftServer.s3_url`, access key = user,
secret = key). Further filters of the proxy's pipeline, such as those that authenticate Keystone's
users, are in the file ``filters.json`` of the directory.
"""

import base64
import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.servers.processes import Server, Servers, say_ready

HOST = "127.0.0.1"
USER = "test:tester"
KEY = "testing"
FURTHER = "filters.json"
PORTS = "ports.json"
STORAGE = ("account", "container", "object")
FILTERS = (
    "catch_errors", "gatekeeper", "healthcheck", "listing_formats", "s3api", "tempauth", "copy",
    "slo", "dlo", "versioned_writes",
)  # fmt: skip


class SwiftServer:
    """A Swift in a child process, with one account ``AUTH_test`` and its owner ``test:tester``.

    :param directory: for rings, configuration, logs and data; created if missing. Its
        filesystem must support extended user attributes (``user.*``).
    :param filters: those before tempauth in the proxy's pipeline: a filter's settings by its name.
    """

    user = USER
    key = KEY
    account = "AUTH_test"

    def __init__(
        self,
        directory: Path,
        servers: Servers | None = None,
        filters: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        self.directory = directory
        self._filters = filters or {}
        self._servers = servers or Servers(directory / "log")
        self._server: Server | None = None

    def launch(self) -> Server:
        """Start it without waiting; ``Servers.await_ready`` must follow."""
        self.directory.mkdir(parents=True, exist_ok=True)
        further = self.directory / FURTHER
        further.touch(mode=0o600)
        further.write_text(json.dumps(self._filters))
        command = [sys.executable, "-m", "demo.servers.swift_server", str(self.directory)]
        self._server = self._servers.launch("swift", command)
        return self._server

    def start(self) -> "SwiftServer":
        """Start it and return once it serves.

        :raises demo.servers.processes.ServerFailed: when it does not come up.
        """
        self._servers.await_ready(self.launch())
        return self

    def stop(self) -> None:
        """Stop it. Its data remains in the directory."""
        if self._server is not None:
            self._server.stop()

    def __enter__(self) -> "SwiftServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The proxy server's port on 127.0.0.1.

        :raises RuntimeError: when the server has not been started.
        """
        if self._server is None or not self._server.ready:
            raise RuntimeError("Swift has not been started")
        return int(self._server.ready["http_port"])

    @property
    def auth_url(self) -> str:
        """Where version 1 authentication is served (``backup_swift_auth_url``)."""
        return f"http://{HOST}:{self.port}/auth/v1.0"

    @property
    def storage_url(self) -> str:
        """The account's URL."""
        return f"http://{HOST}:{self.port}/v1/{self.account}"

    @property
    def s3_url(self) -> str:
        """The endpoint for S3 clients."""
        return f"http://{HOST}:{self.port}"


def _serve(directory: Path) -> None:
    """Serve until a signal ends the process."""
    described = directory / "swift.conf"
    # The suffix decides where objects are: with another one, a restart would lose all of them.
    if not described.exists():
        described.write_text(
            f"[swift-hash]\nswift_hash_path_suffix = {os.urandom(8).hex()}\n"
            "[storage-policy:0]\nname = gold\ndefault = yes\n"
        )
    # Swift reads its directory's swift.conf when its modules are imported, and eventlet must
    # patch the standard library before that: hence the imports inside the functions.
    from swift.common import utils

    utils.set_swift_dir(str(directory))
    utils.monkey_patch()

    import eventlet

    # After a restart it has the same port.
    kept = directory / PORTS
    former = json.loads(kept.read_text()) if kept.exists() else {}
    sockets = {
        name: eventlet.listen((HOST, former.get(name, 0)), backlog=512)
        for name in (*STORAGE, "proxy")
    }
    ports = {name: listener.getsockname()[1] for name, listener in sockets.items()}
    kept.write_text(json.dumps(ports))
    (directory / "node" / "disk").mkdir(parents=True, exist_ok=True)
    for name in STORAGE:
        _write_ring(directory, name, ports[name])
    # Swift always logs to syslog; a socket without a reader keeps it out of the machine's own.
    syslog = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    syslog.bind((HOST, 0))
    common = {
        "swift_dir": directory,
        "devices": directory / "node",
        "mount_check": "false",
        "disable_fallocate": "true",
        "fallocate_reserve": "0",
        "log_udp_host": HOST,
        "log_udp_port": syslog.getsockname()[1],
    }
    utils.FALLOCATE_RESERVE = 0
    threads = [
        eventlet.spawn(
            _serve_one, sockets[name], _write_config(directory, name, {**common, "bind_port": port})
        )
        for name, port in ports.items()
    ]
    say_ready(http_port=ports["proxy"])
    for thread in threads:
        thread.wait()


def _write_ring(directory: Path, name: str, port: int) -> None:
    from swift.common.ring import RingBuilder

    builder = RingBuilder(part_power=2, replicas=1, min_part_hours=0)
    device: dict[str, Any] = {
        "id": 0, "region": 1, "zone": 1, "device": "disk", "weight": 1.0, "meta": "",
        "ip": HOST, "port": port, "replication_ip": HOST, "replication_port": port,
    }  # fmt: skip
    builder.add_dev(device)
    builder.rebalance()
    builder.get_ring().save(str(directory / f"{name}.ring.gz"))


def _write_config(directory: Path, name: str, common: dict[str, object]) -> Path:
    further: dict[str, dict[str, object]] = {}
    filters: tuple[str, ...] = ()
    if name == "proxy":
        further = json.loads((directory / FURTHER).read_text())
        before = FILTERS.index("tempauth")
        filters = (*FILTERS[:before], *further, *FILTERS[before:])
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {**common, "log_name": name},
        f"app:{name}-server": {"use": f"egg:swift#{name}", "account_autocreate": "true"},
        "pipeline:main": {"pipeline": " ".join((*filters, f"{name}-server"))},
    }
    for filter_name in filters:
        shipped: dict[str, object] = {"use": f"egg:swift#{filter_name}"}
        sections[f"filter:{filter_name}"] = further.get(filter_name, shipped)
    if name == "proxy":
        sections["filter:tempauth"] |= {
            "user_" + USER.replace(":", "_"): f"{KEY} .admin",
            "fernet_key_1": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "active_fernet_key_id": "1",
        }
    path = directory / f"{name}-server.conf"
    path.touch(mode=0o600)
    path.write_text(
        "".join(
            f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
            for section, entries in sections.items()
        )
    )
    return path


def _serve_one(listener: Any, config: Path) -> None:
    from eventlet import wsgi as eventlet_wsgi
    from swift.common import utils, wsgi

    settings = wsgi.appconfig(str(config), name=config.stem)
    # Once enabled, every logger created later writes to standard error too.
    utils.get_logger(settings, config.stem, log_to_console=True, log_route="wsgi")
    eventlet_wsgi.server(
        listener,
        wsgi.loadapp(str(config), allow_modify_pipeline=False),
        utils.NullLogger(),
        protocol=wsgi.SwiftHttpProtocol,
        capitalize_response_headers=False,
    )


if __name__ == "__main__":
    _serve(Path(sys.argv[1]).resolve())
