# SPDX-License-Identifier: Apache-2.0
"""``datera-emulator serve``: a cluster until the process is told to stop."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading

from datera_emulator.emulator import Emulator, StateInUse
from datera_emulator.switches import Switches
from datera_emulator.users import directories_from


def add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    serve = commands.add_parser(
        "serve",
        help="serve a cluster until it is told to stop",
        description="Serve a cluster. When it is ready, one line of JSON says where it is.",
    )
    serve.set_defaults(run=_serve)
    serve.add_argument("--state-dir", required=True, help="where everything lies and stays")
    serve.add_argument("--host", default="127.0.0.1", help="the address of the REST API")
    serve.add_argument("--http-port", type=int, default=7717, help="0 for a free one")
    serve.add_argument("--https-port", type=int, default=7718, help="0 for a free one")
    serve.add_argument("--transport", choices=("file", "tgt"), default="file")
    serve.add_argument("--sw-version", default="3.3.0.0", help="the product's version")
    serve.add_argument(
        "--ldap",
        action="append",
        default=[],
        metavar="SERVER/USER:PASSWORD",
        help="let an administrator log in with this remote_server; may be given several times",
    )
    serve.add_argument(
        "--switch",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set one of the switches in the documentation; may be given several times",
    )


def _serve(options: argparse.Namespace) -> int:
    try:
        switches = Switches().changed(dict(_assignment(text) for text in options.switch))
        emulator = Emulator(
            options.state_dir,
            host=options.host,
            http_port=options.http_port,
            https_port=options.https_port,
            transport=options.transport,
            sw_version=options.sw_version,
            switches=switches,
            directories=directories_from(options.ldap),
        )
    except ValueError as exc:
        print(f"datera-emulator: {exc}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        emulator.start()
    except (OSError, StateInUse) as exc:
        print(f"datera-emulator: {exc}", file=sys.stderr)
        return 1
    try:
        ready = {
            "http_port": emulator.http_port,
            "https_port": emulator.https_port,
            "ca_bundle": emulator.ca_bundle,
            "username": emulator.username,
            "password": emulator.password,
            "state_dir": str(emulator.state_dir.resolve()),
            "pid": os.getpid(),
        }
        print(json.dumps(ready), flush=True)
        stop.wait()
    finally:
        emulator.stop()
    return 0


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--switch {text}: is not NAME=VALUE")
    return name, value
