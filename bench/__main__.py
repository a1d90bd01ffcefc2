# SPDX-License-Identifier: Apache-2.0
"""``python -m bench``: the Datera backup backend beside its peers, on this machine."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import ceph_peer, image, machine, memory, report, service, suite
from bench.interruption import unless_interrupted
from bench.peers import InProcess, Peer, find_program
from bench.process import Failed

MODES = ("zlib", "zstd", "none")
PROGRAMS = ("borg", "restic")
BLAKE3 = "datera-blake3"
"""The same engine with ``backup_datera_digest = blake3``: what the option buys."""
ROOM = 8
"""Of the image's size what everything at once may take up."""
SHARED_MEMORY = Path("/dev/shm")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return unless_interrupted(lambda: _measure(options))
    except Failed as failure:
        _say(str(failure))
        return 1


def _measure(options: argparse.Namespace) -> int:
    parent = options.directory or _roomy(ROOM * options.size)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as name:
        folder = Path(name)
        about: dict[str, Any] = {"machine": machine.describe(folder), "versions": {}}
        if options.memory:
            sizes = memory.measure(folder, options.memory, options.holding, _say)
            print(
                json.dumps({**about, "memory": sizes})
                if options.format == "json"
                else memory.table(sizes)
            )
            return 0
        print(_side_by_side(options, folder, about))
    return 0


def _side_by_side(options: argparse.Namespace, folder: Path, about: dict[str, Any]) -> str:
    """Measure all peers, and return the report."""
    peers, about["absent"] = _peers(options, folder)
    about["versions"] = {**machine.versions(), **_of_programs(peers)}
    about["notes"] = {peer.name: peer.note for peer in peers if peer.note}
    about["service"] = None
    if not options.no_service:
        about["service"] = service.measure(folder, options.size, _say)
    for results in suite.measure(folder, peers, options.size, options.runs, _say):
        found = report.summary(results, about)
        # After each run, because whoever is in a hurry may end this before the last.
        if options.output:
            options.output.write_text(json.dumps(found, indent=1) + "\n")
    if options.format == "json":
        return json.dumps(found, indent=1)
    text = report.tables(results, about)
    return f"{text}\n\n{service.sentence(about['service'])}" if about["service"] else text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--size",
        type=_size,
        default=2 << 30,
        metavar="SIZE",
        help="of the image: 256M, 2G (the default), …",
    )
    parser.add_argument(
        "--runs", type=int, choices=range(1, 100), metavar="N", default=3, help="default: 3"
    )
    parser.add_argument("--peers", default="", metavar="NAME,…", help="only these")
    parser.add_argument(
        "--directory",
        type=Path,
        help="where to work; default: shared memory if there is room, else TMPDIR",
    )
    parser.add_argument(
        "--programs",
        type=Path,
        default=Path(".bench-venv/bin"),
        help="a folder where borg or restic may be",
    )
    parser.add_argument(
        "--no-service",
        action="store_true",
        help="leave out the whole driver in a service with the emulator",
    )
    parser.add_argument(
        "--memory",
        type=_size,
        nargs="*",
        metavar="SIZE",
        help="instead: memory and time of the Datera backend at these sizes",
    )
    parser.add_argument(
        "--holding",
        type=_size,
        metavar="SIZE",
        help="with --memory: bytes that the images hold, the rest being a hole",
    )
    parser.add_argument("-f", "--format", choices=["table", "json"], default="table")
    parser.add_argument("--output", type=Path, help="write the JSON into this file besides")
    return parser


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([MGT])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text} is not a number with M, G or T")
    return int(match[1]) << {"M": 20, "G": 30, "T": 40}[match[2]]


def _roomy(need: int) -> Path | None:
    # Else a disk's speed would be measured, which is the same for all.
    if SHARED_MEMORY.is_dir() and image.free_for(SHARED_MEMORY) > need:
        return SHARED_MEMORY
    return None


def _peers(options: argparse.Namespace, folder: Path) -> tuple[list[Peer], list[str]]:
    versions = machine.versions()
    peers: list[Peer] = [InProcess("datera", versions.get("backup-dispatch", "?"))]
    absent = {}
    if "blake3" in versions:
        peers.append(InProcess(BLAKE3, versions["blake3"]))
    else:
        absent[BLAKE3] = "the package blake3 is not installed"
    peers += [InProcess(f"posix-{mode}", versions.get("cinder", "?")) for mode in MODES]
    ceph, missing = ceph_peer.find_ceph(folder)
    if ceph is None:
        absent[ceph_peer.NAME] = "; ".join(missing)
    else:
        peers.append(ceph)
    for name in PROGRAMS:
        program = find_program(name, options.programs.absolute())
        if program is None:
            absent[name] = f"not on the path, nor in {options.programs}"
        else:
            peers.append(program)
    wanted = options.peers.split(",") if options.peers else None
    if wanted is not None:
        known = {peer.name for peer in peers} | set(absent)
        if unknown := set(wanted) - known:
            raise SystemExit(
                f"--peers: nobody is called {', '.join(sorted(unknown))}; there are "
                f"{', '.join(sorted(known))}"
            )
        # Everything is compared with the first.
        peers = [p for p in peers if p.name in wanted or p.name == report.DATERA]
        absent = {name: why for name, why in absent.items() if name in wanted}
    for name, why in absent.items():
        _say(f"{name} is absent: {why}")
    return peers, list(absent)


def _of_programs(peers: Sequence[Peer]) -> dict[str, str]:
    return {p.name: p.version for p in peers if p.name in (*PROGRAMS, ceph_peer.NAME)}


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
