# SPDX-License-Identifier: Apache-2.0
"""The command ``datera-emulator``."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from datera_emulator.documents import Document, Json
from datera_emulator.faults.outcomes import KINDS
from datera_emulator.remote_control import NotRunning, Refused, RemoteControl
from datera_emulator.serving import add_serve

_METHODS = ("GET", "POST", "PUT", "DELETE")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    run = options.run
    try:
        return int(run(options))
    except (NotRunning, Refused) as exc:
        print(f"datera-emulator: {exc}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="datera-emulator",
        description="An emulated Datera cluster.",
        epilog="All commands but 'serve' talk to a running emulator: give its --state-dir or "
        "its --http-port.",
    )
    parser.add_argument("--verbose", action="store_true", help="log each request to stderr")
    commands = parser.add_subparsers(dest="command", required=True)
    add_serve(commands)
    where = argparse.ArgumentParser(add_help=False)
    place = where.add_mutually_exclusive_group(required=True)
    place.add_argument("--state-dir", type=Path, help="the state directory of the running emulator")
    place.add_argument("--http-port", type=int, help="HTTP port of the running emulator")

    status = commands.add_parser(
        "status", parents=[where], help="show what a running emulator holds"
    )
    status.set_defaults(run=lambda options: _say(options, "GET", "status"))
    reset = commands.add_parser(
        "reset", parents=[where], help="delete all data, session keys and faults"
    )
    reset.set_defaults(run=lambda options: _say(options, "POST", "reset"))

    fault = commands.add_parser("fault", help="inject faults into a running emulator")
    faults = fault.add_subparsers(dest="fault", required=True)
    listing = faults.add_parser("list", parents=[where], help="list active faults")
    listing.set_defaults(run=lambda options: _say(options, "GET", "faults"))
    clear = faults.add_parser("clear", parents=[where], help="remove all faults")
    clear.set_defaults(run=lambda options: _say(options, "DELETE", "faults"))
    _add_fault(faults.add_parser("add", parents=[where], help="make matching requests fail"))
    _add_random(
        faults.add_parser("random", parents=[where], help="make a random share of requests fail")
    )
    logins = faults.add_parser(
        "logins", parents=[where], help="make targets refuse logins after an ACL change"
    )
    logins.add_argument("count", type=int, help="logins to refuse per ACL change; 0 disables it")
    logins.set_defaults(
        run=lambda options: _say(
            options, "POST", "faults/logins", {"after_acl_change": options.count}
        )
    )
    return parser


def _add_fault(add: argparse.ArgumentParser) -> None:
    add.add_argument("kind", choices=tuple(KINDS))
    add.add_argument("--method", choices=_METHODS, help="only requests with this HTTP method")
    add.add_argument(
        "--path",
        help="only requests whose path (without the API version) matches this regular expression",
    )
    add.add_argument("--nth", type=int, help="first matching request to fail (default: 1)")
    add.add_argument(
        "--times", type=int, help="number of requests to fail (default: 1; 0: no limit)"
    )
    add.add_argument(
        "--applied", action="store_true", default=None, help="apply the request before it fails"
    )
    add.add_argument("--status", type=int, help="HTTP status to return")
    add.add_argument("--body", type=_body, help="response body to return, as JSON")
    add.add_argument("--seconds", type=float, help="duration of 'slow' and 'hang', in seconds")
    add.set_defaults(run=_run_add)


def _add_random(add: argparse.ArgumentParser) -> None:
    add.add_argument(
        "--rate",
        type=float,
        required=True,
        help="share of requests that each kind of fault hits, 0 to 1",
    )
    add.add_argument(
        "--kind",
        action="append",
        choices=tuple(KINDS),
        help="only this kind of fault; may be repeated",
    )
    add.add_argument("--seed", type=int, default=0)
    add.add_argument("--method", choices=_METHODS)
    add.add_argument("--path", help="as with 'add'")
    add.set_defaults(run=_run_random)


def _run_add(options: argparse.Namespace) -> int:
    names = ("kind", "method", "path", "nth", "applied", "status", "body", "seconds")
    wish = _given(options, names)
    if options.times is not None:
        wish["times"] = options.times or None
    return _say(options, "POST", "faults", wish)


def _run_random(options: argparse.Namespace) -> int:
    wish = _given(options, ("seed", "method", "path"))
    wish["rates"] = dict.fromkeys(options.kind or KINDS, options.rate)
    return _say(options, "POST", "faults/random", wish)


def _given(options: argparse.Namespace, names: Sequence[str]) -> Document:
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _body(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON") from exc


def _say(options: argparse.Namespace, method: str, path: str, body: Json = None) -> int:
    """Send a request to the emulator that the options name, and print the response."""
    if options.state_dir is not None:
        control = RemoteControl.of_state(options.state_dir)
    else:
        control = RemoteControl("127.0.0.1", options.http_port)
    print(json.dumps(control.ask(method, path, body), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
