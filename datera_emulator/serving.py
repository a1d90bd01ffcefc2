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
from datera_emulator.state.users import directories_from
from datera_emulator.switches import Switches


def add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    serve = commands.add_parser(
        "serve",
        help="run the emulator in the foreground",
        description="Run the emulator until SIGTERM or SIGINT. "
        "When it is ready, it prints one line of JSON with its ports.",
    )
    serve.set_defaults(run=_serve)
    serve.add_argument("--state-dir", required=True, help="directory of the persistent state")
    serve.add_argument(
        "--host", default="127.0.0.1", help="listen address of the REST API (default: 127.0.0.1)"
    )
    serve.add_argument(
        "--http-port", type=int, default=7717, help="default: 7717; 0: any free port"
    )
    serve.add_argument(
        "--https-port", type=int, default=7718, help="default: 7718; 0: any free port"
    )
    serve.add_argument(
        "--transport",
        choices=("file", "tgt"),
        default="file",
        help="how hosts reach volumes (default: file)",
    )
    serve.add_argument(
        "--sw-version", default="3.3.0.0", help="product version to emulate (default: 3.3.0.0)"
    )
    serve.add_argument(
        "--ldap",
        action="append",
        default=[],
        metavar="SERVER/USER:PASSWORD",
        help="accept this administrator with this remote_server (LDAP); may be repeated",
    )
    serve.add_argument(
        "--switch",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a switch, see the documentation; may be repeated",
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
