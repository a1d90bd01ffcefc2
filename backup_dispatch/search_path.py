# SPDX-License-Identifier: Apache-2.0
"""Removes folders from ``PATH`` that this user may not enter.

os-brick runs some commands only to check whether they exist. If ``PATH`` has a folder that
the user may not enter (``su USER`` keeps root's), a missing command ends in "permission
denied" instead of "not found", and os-brick, and Cinder with it, fails.
"""

from __future__ import annotations

import os


def enterable(path: str) -> str:
    """Return a ``PATH`` without the folders that this user may not enter."""
    barred = not_enterable(path)
    return os.pathsep.join(one for one in path.split(os.pathsep) if one not in barred)


def not_enterable(path: str) -> list[str]:
    """Return the folders of a ``PATH`` that this user may not enter; missing ones are harmless."""
    return [folder for folder in path.split(os.pathsep) if _is_barred(folder)]


def clean_path() -> None:
    """Remove from the ``PATH`` of this process the folders that its user may not enter."""
    os.environ["PATH"] = enterable(os.environ.get("PATH", os.defpath))


def _is_barred(folder: str) -> bool:
    try:
        # Looked up in the folder, as a command would be. An empty name is the current folder.
        os.stat(os.path.join(folder, os.curdir))
    except PermissionError:
        return True
    except OSError:
        return False
    return False
