# SPDX-License-Identifier: Apache-2.0
"""The recorded demo as a terminal: ``COLUMNS=58 make demo`` wrote ``demo.txt``, all of it.

Shown is the middle: from the first backup on, as many lines as a reader looks at.
"""

from __future__ import annotations

from pathlib import Path

from pictures.canvas import Canvas

RECORDED = Path(__file__).resolve().parents[2] / "pictures" / "demo.txt"
BEGINS = "3. Backups"
LINES = 36
PITCH = 17
_TITLE = (
    "The recorded output of make demo: backups named datera_monday, swift_monday and posix_monday "
    "land on the backend of their prefix, monday on the primary, tuesday by its property on Swift."
)


def demo() -> Canvas:
    """The picture."""
    lines = RECORDED.read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(BEGINS))
    shown = lines[first : first + LINES]
    drawn = Canvas(44 + PITCH * len(shown), _TITLE)
    drawn.box(2, 2, 476, 40 + PITCH * len(shown))
    drawn.words(18, 25, "$ make demo", kind="mono quiet")
    typed = False
    for number, line in enumerate(shown):
        if not line.strip():
            continue
        typed = line.lstrip().startswith("$ ") or (typed and shown[number - 1].endswith("\\"))
        kind = "one" if typed else "bold" if line[0] != " " else ""
        indent = len(line) - len(line.lstrip())
        x = 18 + indent * Canvas.SIGN
        drawn.words(x, 46 + number * PITCH, line.strip(), kind=f"mono {kind}".strip())
    return drawn
