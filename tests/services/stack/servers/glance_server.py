# SPDX-License-Identifier: Apache-2.0
"""A real Glance on a loopback port, which keeps images as files in a private directory.

``python -m tests.services.stack.servers.glance_server DIR FD`` takes over the listening socket
``FD``; ``DIR/glance-api.conf`` is there already.
"""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from demo.servers.ini import write_ini
from demo.servers.processes import say_ready


def write_config(directory: Path, url: str, authtoken: dict[str, Any]) -> None:
    """Write the configuration of a Glance that authenticates with Keystone."""
    stores = {name: directory / name for name in ("images", "os_glance_staging", "os_glance_tasks")}
    for folder in (*stores.values(), directory / "locks"):
        folder.mkdir(parents=True)
    write_ini(
        directory / "glance-api.conf",
        {
            "DEFAULT": {
                "use_stderr": "true",
                "enabled_backends": "images:file",
                "worker_self_reference_url": url,
            },
            "glance_store": {"default_backend": "images"},
            **{
                name if name == "images" else f"{name}_store": {"filesystem_store_datadir": folder}
                for name, folder in stores.items()
            },
            "database": {"connection": f"sqlite:///{directory / 'glance.sqlite'}"},
            "paste_deploy": {
                "flavor": "keystone",
                "config_file": Path(sys.prefix) / "etc" / "glance" / "glance-api-paste.ini",
            },
            "oslo_concurrency": {"lock_path": directory / "locks"},
            "keystone_authtoken": authtoken,
        },
    )


def _serve(directory: Path, descriptor: int) -> None:
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

    with socket.socket(fileno=os.dup(descriptor)) as listener:
        host, port = listener.getsockname()
    config = directory / "glance-api.conf"
    manage = [f"{sys.prefix}/bin/glance-manage", "--config-file", str(config), "db_sync"]
    subprocess.run(manage, check=True, stdout=sys.stderr)
    os.environ["OS_GLANCE_CONFIG_DIR"] = str(directory)

    # Its configuration is read as it is imported.
    application = importlib.import_module("glance.wsgi.api").application
    server = make_server(
        host, port, application, threaded=True, request_handler=Handler, fd=descriptor
    )
    say_ready(http_port=port)
    server.serve_forever()


if __name__ == "__main__":
    place, listening = sys.argv[1:]
    del sys.argv[1:]  # Glance would parse them as its own options
    _serve(Path(place).resolve(), int(listening))
