# SPDX-License-Identifier: Apache-2.0
"""Native threads, with eventlet's monkey patching and without."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from datera_backup.engine.pipeline.threads import unpatched_threading

ROOT = Path(__file__).parents[5]

SCRIPT = """
    import eventlet

    eventlet.monkey_patch()
    import threading

    from eventlet import tpool

    from datera_backup.container import BackupReader
    from datera_backup.engine import BackupJob, JobCancelled, RestoreJob
    from datera_backup.engine.pipeline.threads import unpatched_threading
    from tests.fixtures.containers.moving import *

    assert unpatched_threading() is not threading
    main = unpatched_threading().get_ident()
    data = some_bytes(1, 400 * BLOCK)
    seen = set()

    def note(kind):
        seen.add(unpatched_threading().get_ident())

    beats = []

    def heartbeat():
        while True:
            beats.append(1)
            eventlet.sleep(0)

    eventlet.spawn(heartbeat)


    def wait(job):
        while not tpool.execute(job.wait, 0.01):
            pass
        return job.result()

    container = new_container(1)
    job = BackupJob(BytesSource(data, note), writer_for(container, 1, len(data)), FEW)
    job.start()
    wait(job)
    assert seen and main not in seen, "the source was read by the hub's thread"
    assert beats, "the hub stood still"

    sink = MemorySink(len(data), hook=note)
    restoring = RestoreJob(
        BackupReader(container, identifier(1)), sink, write_zeros=True, settings=FEW
    )
    restoring.start()
    wait(restoring)
    assert bytes(sink.content) == data
    assert main not in seen

    def fail(kind):
        raise OSError("no more")

    job = BackupJob(BytesSource(data, fail), writer_for(container, 2, len(data)), FEW)
    job.start()
    try:
        wait(job)
    except OSError as exc:
        assert "no more" in str(exc)
    else:
        raise AssertionError
    job = BackupJob(BytesSource(data), writer_for(container, 2, len(data)), FEW)
    job.cancel()
    job.start()
    try:
        wait(job)
    except JobCancelled:
        print("all went well")
"""


def test_threading_is_pythons_without_eventlet() -> None:
    assert unpatched_threading() is threading


def test_threading_is_native_under_monkey_patching() -> None:
    pytest.importorskip("eventlet")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SCRIPT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "all went well\n", done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["engine", "container"])
def test_what_runs_in_native_threads_has_nothing_to_log_with(package: str) -> None:
    """Under eventlet the locks of logging are green ones: a native thread would hang on them."""
    for path in (ROOT / "datera_backup" / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert "logging" not in [alias.name for alias in node.names], path
            elif isinstance(node, ast.ImportFrom):
                assert node.module not in ("logging", "oslo_log"), path
