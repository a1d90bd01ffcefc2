# SPDX-License-Identifier: Apache-2.0
"""Configuration files as OpenStack's services read them."""

from collections.abc import Mapping
from pathlib import Path

Sections = Mapping[str, Mapping[str, object]]


def write_ini(path: Path, sections: Sections) -> Path:
    """Write a private file (it may contain passwords) and return its path.

    A dollar sign is doubled: oslo.config would interpret it as a reference to another option.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(
        "\n".join(
            f"[{name}]\n" + "".join(f"{key} = {_text(value)}\n" for key, value in entries.items())
            for name, entries in sections.items()
        )
    )
    return path


def _text(value: object) -> str:
    return str(value).replace("$", "$$")
