# SPDX-License-Identifier: Apache-2.0
"""Run a program of this environment in this process with the emulator's connector installed::

    python -m datera_emulator.with_connector cinder-volume --config-file cinder.conf

The connector is installed at the moment when the program imports os-brick's, and nothing of
os-brick is imported before: Cinder's services patch the standard library for eventlet first of all,
and a TLS client that was imported earlier recurses without end afterwards.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import runpy
import shutil
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from backup_dispatch.search_path import clean_path

_CONNECTORS = "os_brick.initiator.connector"
_USAGE = "usage: python -m datera_emulator.with_connector CONSOLE_SCRIPT|FILE.py ARGS..."


class _InstallAfterImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and loads os-brick's table of connectors as usual, then adds the emulator's."""

    def __init__(self, initiator: str | None) -> None:
        self._initiator = initiator
        self._real: importlib.abc.Loader | None = None

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find that one module; the other finders find all others."""
        if fullname != _CONNECTORS or self._real is not None:
            return None
        self._real = _NotYet()  # the search below must not come back here
        spec = importlib.util.find_spec(fullname)
        if spec is not None:
            self._real = spec.loader
            spec.loader = self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the module's own loader."""
        return self._real.create_module(spec) if self._real else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then install the connector."""
        if self._real is not None:
            self._real.exec_module(module)
        from datera_emulator.target import brick  # it imports os-brick, see above

        brick.install(self._initiator, os.environ.get("DATERA_EMULATOR_CONNECTOR", "file"))


class _NotYet(importlib.abc.Loader):
    """A placeholder for a loader that is being looked for."""


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
    clean_path()
    sys.meta_path.insert(0, _InstallAfterImport(os.environ.get("DATERA_EMULATOR_INITIATOR")))
    sys.argv = [path, *arguments[1:]]
    # As when Python runs a file itself: modules beside it can be imported.
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    runpy.run_path(path, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
