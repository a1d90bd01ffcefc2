# SPDX-License-Identifier: Apache-2.0
"""``python -m bench``: the Datera backup backend beside its peers, on this machine."""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import memory, report, service, suite
from bench.ceph import peer as ceph_peer
from bench.ceph import volumes
from bench.measuring import image, machine
from bench.measuring.interruption import unless_interrupted
from bench.measuring.process import Failed
from bench.measuring.sizes import size_of
from bench.peers import InProcess, Peer, find_program

MODES = ("zlib", "zstd", "none")
PROGRAMS = ("borg", "restic")
SHA256 = "datera-sha256"
"""The same engine with ``backup_datera_digest = sha256``: what the default saves."""
ROOM = 8
"""Space for everything at once, in multiples of the image's size."""
LARGE = 100 << 30
MOST_LATENCY = 1000
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
        if options.rbd:
            print(_in_ceph(options, folder, about))
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
    for results in suite.measure(
        folder, peers, options.size, options.runs, _say, latency=options.latency
    ):
        found = report.summary(results, about)
        # After each run, because the benchmark may be interrupted before the last.
        if options.output:
            options.output.write_text(json.dumps(found, indent=1) + "\n")
    if options.format == "json":
        return json.dumps(found, indent=1)
    text = report.tables(results, about)
    return f"{text}\n\n{service.sentence(about['service'])}" if about["service"] else text


def _in_ceph(options: argparse.Namespace, folder: Path, about: dict[str, Any]) -> str:
    """Measure volumes in Ceph, and return the report."""
    ceph, missing = ceph_peer.find_ceph(folder)
    if ceph is None:
        raise Failed(f"--rbd needs Ceph: {'; '.join(missing)}")
    found = volumes.measure(folder, ceph, (options.size, options.rbd), options.runs, _say)
    if options.format == "json":
        versions = {**machine.versions(), ceph.name: ceph.version}
        ratios = volumes.ratios(found)
        return json.dumps({**about, "versions": versions, "rbd": found, "ratios": ratios})
    return volumes.table(found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--size",
        type=size_of,
        default=2 << 30,
        metavar="SIZE",
        help="size of the image: 256M, 2G (default), …",
    )
    parser.add_argument(
        "--runs", type=int, choices=range(1, 100), metavar="N", default=3, help="default: 3"
    )
    parser.add_argument(
        "--latency",
        type=_milliseconds,
        metavar="MS",
        default=0.0,
        help="measure a second time with storage that takes so many ms for each request",
    )
    parser.add_argument("--peers", default="", metavar="NAME,…", help="measure only these")
    parser.add_argument(
        "--directory",
        type=Path,
        help="working directory (default: shared memory if large enough, else TMPDIR)",
    )
    parser.add_argument(
        "--programs",
        type=Path,
        default=Path(".bench-venv/bin"),
        help="directory to look for borg and restic in",
    )
    parser.add_argument(
        "--no-service",
        action="store_true",
        help="skip the run of the whole driver in a service",
    )
    parser.add_argument(
        "--memory",
        type=size_of,
        nargs="*",
        metavar="SIZE",
        help="measure memory and time of the Datera backend at these sizes instead",
    )
    parser.add_argument(
        "--holding",
        type=size_of,
        metavar="SIZE",
        help="with --memory: allocated bytes of each image; the rest is a hole",
    )
    parser.add_argument(
        "--rbd",
        type=size_of,
        nargs="?",
        const=LARGE,
        metavar="SIZE",
        help="measure volumes in Ceph instead: one of the image's size, and one of this size "
        "(default: 100G) that holds the same",
    )
    parser.add_argument("-f", "--format", choices=["table", "json"], default="table")
    parser.add_argument("--output", type=Path, help="also write the JSON to this file")
    return parser


def _milliseconds(text: str) -> float:
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = math.nan
    if not 0 < milliseconds < MOST_LATENCY:
        raise argparse.ArgumentTypeError(f"{text} is no number of ms below {MOST_LATENCY}")
    return milliseconds


def _roomy(need: int) -> Path | None:
    # Otherwise the disk's speed would be measured, which is the same for all.
    if SHARED_MEMORY.is_dir() and image.free_for(SHARED_MEMORY) > need:
        return SHARED_MEMORY
    return None


def _peers(options: argparse.Namespace, folder: Path) -> tuple[list[Peer], list[str]]:
    versions = machine.versions()
    peers: list[Peer] = [InProcess("datera", versions.get("backup-dispatch", "?"))]
    absent = {}
    peers.append(InProcess(SHA256, versions.get("backup-dispatch", "?")))
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
