# SPDX-License-Identifier: Apache-2.0
"""``python -m demo [--keep]``: the main job and day two on this machine, in a few minutes."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.filesize import decimal as amount

from demo import interruption, kept, story
from demo.cloud import Cloud
from demo.report import Report
from demo.servers.processes import ServerFailed, Servers, environment

ROOM = 4 * 10**9


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep all servers running at the end")
    parser.add_argument(
        "--stop",
        type=Path,
        metavar="DIRECTORY",
        help="stop the servers that a run with --keep left",
    )
    options = parser.parse_args(arguments)
    report = Report()
    if options.stop:
        try:
            kept.stop(options.stop.resolve(), report.plain)
        except kept.NotKept as reason:
            report.closing(str(reason), good=False)
            return 1
        return 0
    # The demo's own requests are local too, whatever proxies and clouds the user has configured.
    settings = environment()
    os.environ.clear()
    os.environ.update(settings)
    os.umask(0o077)
    return _run(report, keep=options.keep)


def _run(report: Report, *, keep: bool) -> int:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < ROOM:
        report.closing(
            f"{tempfile.gettempdir()} has {amount(free)} free and the demo may take "
            f"{amount(ROOM)}: set TMPDIR to a place with more room.",
            good=False,
        )
        return 1
    listener = interruption.Listener()
    directory = Path(tempfile.mkdtemp(prefix="backup-dispatch-demo-"))
    # The client would read clouds and leave caches in the user's own.
    os.environ["HOME"] = str(directory / "home")
    cloud = Cloud(directory, Servers(directory / "log"))
    status, words = 1, ""
    try:
        try:
            story.tell(cloud, report)
            status = 0
        finally:
            listener.only_hurry()
    except interruption.Interrupted as signal:
        keep = False
        status, words = 128 + signal.number, f"Ended by {signal}: stopping the servers."
    except Exception as error:
        report.table()
        words = _reason(cloud, error)
    if words:
        report.closing(words, good=False)
    if keep:
        kept.write(cloud)
    else:
        cloud.servers.stop(hurried=lambda: listener.hurried)
    return _farewell(report, cloud, status, keep=keep)


def _reason(cloud: Cloud, error: Exception) -> str:
    """Return what went wrong: a server that has exited explains any other failure."""
    try:
        cloud.servers.check()
    except ServerFailed as cause:
        return str(cause)
    return f"{type(error).__name__}: {error}"


def _farewell(report: Report, cloud: Cloud, status: int, *, keep: bool) -> int:
    if status == 0:
        report.table()
        report.closing(f"All as promised, in {report.seconds:.0f} seconds.", good=True)
    if keep:
        report.plain("\n" + kept.commands(cloud, story.TYPE))
    elif status == 0 or status > 128:  # noqa: PLR2004  nobody wants the logs of what they ended
        shutil.rmtree(cloud.directory, ignore_errors=True)
    else:
        report.plain(f"Logs: {cloud.logs}")
    return status


if __name__ == "__main__":
    sys.exit(main())
