# SPDX-License-Identifier: Apache-2.0
"""Run a program of this environment in this process with the emulator's connector installed::

python -m datera_emulator.with_connector cinder-volume --config-file cinder.conf
"""

from __future__ import annotations

import os
import runpy
import shutil
import sys
from collections.abc import Sequence

from datera_emulator import brick

_USAGE = "usage: python -m datera_emulator.with_connector CONSOLE_SCRIPT|FILE.py ARGS..."


def script_path(name: str) -> str | None:
    """Return the file behind a console script's name or a path.

    A name is looked for beside this interpreter first: that is this environment's own.
    """
    if os.sep in name or name.endswith(".py"):
        return name if os.path.isfile(name) else None
    beside = os.path.join(os.path.dirname(sys.executable), name)
    return beside if os.path.isfile(beside) else shutil.which(name)


def main(arguments: Sequence[str]) -> int:
    """Install the connector and run the program; return the exit status if it returns."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE, file=sys.stderr)
        return 2
    path = script_path(arguments[0])
    if path is None:
        print(f"with_connector: there is no script {arguments[0]!r}", file=sys.stderr)
        return 2
    brick.install(os.environ.get("DATERA_EMULATOR_INITIATOR"))
    sys.argv = [path, *arguments[1:]]
    # As when python runs a file itself: what lies beside it can be imported.
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    runpy.run_path(path, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
