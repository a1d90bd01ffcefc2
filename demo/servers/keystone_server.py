# SPDX-License-Identifier: Apache-2.0
"""A real Keystone on a loopback port, with its database and keys in a private directory.

``python -m demo.servers.keystone_server DIR FD`` takes over the listening socket ``FD``, so that
its port is known before Keystone is up and the other services need not wait to be configured. The
environment variable ``DEMO_ADMIN_PASSWORD`` becomes the password of the user ``admin``.
"""

import multiprocessing
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from demo.servers.ini import write_ini
from demo.servers.processes import collect_rarely, say_ready

REGION = "RegionOne"

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def _write_config(directory: Path, keys: Path) -> Path:
    return write_ini(
        directory / "keystone.conf",
        {
            "DEFAULT": {"use_stderr": "true"},
            "database": {"connection": f"sqlite:///{directory / 'keystone.sqlite'}"},
            "fernet_tokens": {"key_repository": keys},
            "fernet_receipts": {"key_repository": keys},
            "credential": {"key_repository": keys},
            # The minimum of bcrypt: these passwords are valid for minutes.
            "identity": {"password_hash_rounds": 4},
            "cache": {"enabled": "true", "backend": "oslo_cache.dict"},
        },
    )


def _make_database(config: Path, keys: Path, url: str, password: str) -> None:
    """Create the database, the keys and the user ``admin``, as keystone-manage does."""
    # Imported once the environment is set; slow, too.
    import keystone.server
    from keystone.cmd.bootstrap import Bootstrapper
    from keystone.common import fernet_utils
    from keystone.common.sql import upgrades

    keystone.server.configure(config_files=[str(config)])
    fernet_utils.FernetUtils(str(keys), 3, "fernet_tokens").initialize_key_repository()
    upgrades.offline_sync_database_to_version()
    first = Bootstrapper()
    first.admin_username = first.project_name = first.admin_role_name = "admin"
    first.admin_password = password
    first.service_name = "keystone"
    first.region_id = REGION
    first.public_url = first.internal_url = first.admin_url = url
    first.bootstrap()


def _application(directory: Path, url: str) -> Application:
    """Return Keystone's WSGI application, with the database and its first user created."""
    keys = directory / "keys"
    keys.mkdir(mode=0o700)
    config = _write_config(directory, keys)
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(config)
    password = os.environ.pop("DEMO_ADMIN_PASSWORD")

    from keystone.server import wsgi

    # Keystone loads its backends once per process, and both halves need them.
    first = multiprocessing.get_context("fork").Process(
        target=_make_database, args=(config, keys, url, password)
    )
    first.start()
    first.join()
    if first.exitcode != 0:
        raise SystemExit("Keystone's database could not be made")
    application: Application = wsgi.initialize_public_application()
    return application


def _one_at_a_time(application: Application) -> Application:
    """Process one request at a time: concurrent ones end in SQLite's "database is locked"."""
    lock = threading.Lock()

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with lock:
            answer = application(environ, start_response)
            try:
                return list(answer)
            finally:
                getattr(answer, "close", lambda: None)()

    return serve


def _serve(directory: Path, descriptor: int) -> None:
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Do nothing: Keystone's own log has the requests."""

    with socket.socket(fileno=os.dup(descriptor)) as listener:
        host, port = listener.getsockname()
    application = _application(directory, f"http://{host}:{port}/v3")
    server = make_server(
        host,
        port,
        _one_at_a_time(application),
        threaded=True,
        request_handler=Handler,
        fd=descriptor,
    )
    say_ready(http_port=port)
    server.serve_forever()


if __name__ == "__main__":
    collect_rarely()
    place, listening = sys.argv[1:]
    del sys.argv[1:]  # Keystone would parse them as its own options
    _serve(Path(place).resolve(), int(listening))
