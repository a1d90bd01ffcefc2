# SPDX-License-Identifier: Apache-2.0
"""Packages that only some containers need."""

from __future__ import annotations

import importlib
from types import ModuleType

from datera_backup.container.errors import PackageMissing


def package(module: str, purpose: str) -> ModuleType:
    """Import a module at its first use.

    :param purpose: what cannot be read or written without it.
    :raises PackageMissing: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        name = module.partition(".")[0]
        raise PackageMissing(
            f"The Python package {name!r} is not installed, which {purpose} need: "
            f"python -m pip install {name}"
        ) from exc
