# SPDX-License-Identifier: Apache-2.0
"""The language of a block that names none: pages are written with indented blocks."""

from __future__ import annotations

import json
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

UNNAMED = ("none", "default")
WIDE = "wide"
"""The class of a block whose columns must stay below each other: it scrolls, others wrap."""

_OPTION = re.compile(r"[\w-]+ ?= ?\S|[\w-]+ ?=$")
_SECTION = re.compile(r"\[[\w:-]+\]$")
_TYPED = re.compile(
    r"(?:sudo |export |cd |curl |pip |python3? |make |openstack |oslo-config-generator |reno |tox |"
    r"apt|git |systemctl |docker |podman |kolla-ansible |source |mkdir |cp |install |mount |"
    r"umount |ceph |rbd |losetup |lsblk |\.venv/|\./|"
    r"backup-dispatch |datera-backup |datera-emulator |cinder-manage |[A-Z_]+=\S+ (?:make|python))"
)
_PYTHON = re.compile(r"(?:from \S+ )?import |(?:async )?def |class \w|@\w|\w+ = \w+\(")
_COLUMNS = re.compile(r"^\s*\+-{2,}|^\| .+ \|$|[─│┌┐└┘├┤▼▶]|^\S+( {3,}\S+){2,}$", re.MULTILINE)


def language_of(text: str) -> str:
    """The name of the Pygments lexer for a block of this text."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any(line.startswith("$ ") for line in lines):
        return "console"
    if all(
        _SECTION.match(line) or _OPTION.match(line) or line.startswith(("#", "…")) for line in lines
    ):
        return "ini"
    uncommented = [line for line in lines if not line.startswith("#")] or lines
    if _TYPED.match(uncommented[0]):
        return "bash"
    if lines[0][0] in "{[" and _is_json(text):
        return "json"
    if _PYTHON.match(uncommented[0]):
        return "python"
    return "text"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


class NameLanguages(SphinxTransform):
    """Gives each block without a language the one that it is in."""

    default_priority = 100

    def apply(self, **_kwargs: Any) -> None:
        """Look at all blocks of a page."""
        for block in self.document.findall(nodes.literal_block):
            text = block.astext()
            if block.get("language", "none") in UNNAMED and text.strip():
                block["language"] = language_of(text)
            if _COLUMNS.search(text):
                block["classes"].append(WIDE)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_transform(NameLanguages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
