# SPDX-License-Identifier: Apache-2.0
"""``python -m deploy``: write what is generated from the sources, see :mod:`deploy.files`."""

from __future__ import annotations

from pathlib import Path

from deploy.files import generated

ROOT = Path(__file__).resolve().parents[1]


def write(root: Path) -> None:
    """Write each file below a folder, and remove what is not generated any more."""
    wanted = generated()
    for folder in {str(Path(path).parent) for path in wanted}:
        for found in (root / folder).glob("*"):
            if found.relative_to(root).as_posix() not in wanted and found.is_file():
                found.unlink()
    for path, text in wanted.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


if __name__ == "__main__":
    write(ROOT)
