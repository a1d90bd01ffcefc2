# SPDX-License-Identifier: Apache-2.0
"""A program that has imported Cinder once, and forks each service that it is asked for.

An import takes most of a service's start, and hundreds of starts follow one another here. What is
forked has neither connections nor threads nor a configuration yet: it is the service's process, in
a session of its own, which reads its arguments as always. Run by
``python -m tests.services.faults.preloaded``; see ``tests/fixtures/answering_process.py``.
"""

# Before anything else, as each service does: it may replace what the standard library has.
from cinder import monkey_patch

monkey_patch.patch()

import importlib  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

from cinder import objects  # noqa: E402

objects.register_all()

import cinder.privsep  # noqa: E402
import os_brick.privileged  # noqa: E402

from datera_emulator.target import brick  # noqa: E402
from tests.fixtures.answering_process import answer_all  # noqa: E402
from tests.services.faults.steps import Steps, count_all  # noqa: E402

PROGRAMS = {
    "cinder-backup": "cinder.cmd.backup",
    "cinder-volume": "cinder.cmd.volume",
    "backup-dispatch": "backup_dispatch.command.main",
}

# By the service itself, when it has read its configuration.
IMPORTED_LATER = (
    "backup_dispatch.command.table",
    "backup_dispatch.driver",
    "cinder.backup.drivers.posix",
    "cinder.backup.manager",
    "cinder.volume.manager",
    "datera_backup.driver",
    "datera_volume.driver",
    "pymysql",
)


def launch(order: dict[str, Any]) -> dict[str, int]:
    """Fork a program, if one is named; return the id of its process, the leader of its group."""
    if not order["program"]:
        return {"pid": 0}  # it is ready
    pid = os.fork()
    if pid == 0:
        run(order)
    return {"pid": pid}


def run(order: dict[str, Any]) -> NoReturn:
    """Be the program."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        sys.stdout = sys.__stdout__
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        os.environ.update(order["env"])
        brick.install(order["initiator"])
        # This is root: no helper, which would have to be started anew with each service.
        for context in (os_brick.privileged.default, cinder.privsep.sys_admin_pctxt):
            context.set_client_mode(False)
        count_all(Steps(Path(order["steps"])))
        sys.argv = [order["program"], *order["arguments"]]
        code = importlib.import_module(PROGRAMS[order["program"]]).main() or 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.write(f"\n{order['program']}: exit status {code}\n")
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for name in (*PROGRAMS.values(), *IMPORTED_LATER):
        importlib.import_module(name)
    # Nobody waits for those that it forks.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    answer_all(launch)
