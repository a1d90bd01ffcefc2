# SPDX-License-Identifier: Apache-2.0
"""What one backup costs when there are many: ``python -m bench.scale [--volumes N] [-f json]``.

The whole driver runs in a Cinder under eventlet and backs up many small volumes, a few at a time,
with the emulator in a process beside it. First each volume gets a full backup, then an incremental
one. What a backup costs is told for each tenth of them, from the first to the last, so that it can
be seen whether it grows with what is there already.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.measuring import machine
from bench.measuring.interruption import unless_interrupted
from bench.measuring.process import run
from bench.peers import environment
from bench.service import emulator_beside

PHASES = ("full", "incremental")
TENTHS = 10
ARRAY = "array"
"""The emulator's folder."""
FIGURES = {
    "seconds": "seconds",
    "processor": "of the service's processor",
    "emulator_processor": "of the emulator's processor",
    "requests": "API requests",
    "statements": "database statements",
}


def measure(folder: Path, volumes: int, at_once: int, *, where: bool = False) -> dict[str, Any]:
    """Take the backups in a process that is patched like a service.

    :param where: whether to find out where its processor time goes; it takes a little more then.
    """
    with emulator_beside(folder / ARRAY) as (port, pid):
        command = [sys.executable, "-m", "bench.scale_inside", str(folder)]
        command += [str(number) for number in (volumes, at_once, port, pid)]
        command.append("where" if where else "")
        # Cinder 29 patches only if configured.
        env = environment(OS_CINDER_DISABLE_EVENTLET_PATCHING="")
        output = run(command, folder=folder, environment=env).output
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return {"volumes": volumes, "at_once": at_once, **found}


def growth(tenths: Sequence[dict[str, Any]], figure: str) -> float:
    """Return by what factor the last tenth costs more than the first."""
    return float(tenths[-1][figure] / tenths[0][figure]) if tenths[0][figure] else 1.0


def table(found: dict[str, Any]) -> str:
    """Return it as Markdown."""
    parts = []
    for phase in PHASES:
        tenths = found[phase]
        parts += [
            f"{phase} backups of {found['volumes']} volumes, {found['at_once']} at a time; one "
            f"backup's share:\n",
            f"| tenth | {' | '.join(FIGURES.values())} | peak memory |",
            f"|{'---|' * (len(FIGURES) + 2)}",
        ]
        for number, tenth in enumerate(tenths, 1):
            cells = " | ".join(_number(tenth[figure]) for figure in FIGURES)
            parts.append(f"| {number} | {cells} | {tenth['memory'] / 1e6:.0f} MB |")
        ratios = " | ".join(f"{growth(tenths, figure):.2f}" for figure in FIGURES)
        parts.append(f"| last / first | {ratios} | {growth(tenths, 'memory'):.2f} |")
        parts.append("\nAPI requests of one backup in the last tenth:\n")
        kinds = sorted(tenths[-1]["kinds"].items(), key=lambda item: (-item[1], item[0]))
        parts += [f"- {_number(times)} {kind}" for kind, times in kinds]
        parts += ["", *_where(tenths)]
    return "\n".join(parts).rstrip()


def _where(tenths: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield where the processor time of one backup goes: a share of those of all tenths."""
    spent: dict[tuple[str, str], float] = defaultdict(float)
    for tenth in tenths:
        for owner, kind, seconds in tenth.get("where", ()):
            spent[owner, kind] += 1000 * seconds / len(tenths)
    if not spent:
        return
    yield "| processor time of one backup | | ms |"
    yield "|---|---|---|"
    for (owner, kind), ms in sorted(spent.items(), key=lambda item: (item[0][0], -item[1])):
        yield f"| {owner} | {kind} | {ms:.1f} |"
    yield ""


def _number(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.1f}"


def _count(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from {least} on")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)
    return unless_interrupted(lambda: _told(options))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument(
        "--volumes", type=lambda text: _count(TENTHS, text), default=1000, metavar="N"
    )
    parser.add_argument("--at-once", type=lambda text: _count(1, text), default=8, metavar="N")
    parser.add_argument("--where", action="store_true", help="where its processor time goes")
    parser.add_argument("--directory", type=Path, help="working directory (default: TMPDIR)")
    parser.add_argument("-f", "--format", choices=["table", "json"], default="table")
    return parser


def _told(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="scale-", dir=options.directory) as name:
        about = {"machine": machine.describe(Path(name)), "versions": machine.versions()}
        found = measure(Path(name), options.volumes, options.at_once, where=options.where)
    print(json.dumps({**about, **found}) if options.format == "json" else table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
