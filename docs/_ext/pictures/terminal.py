# SPDX-License-Identifier: Apache-2.0
"""The recorded demo as a terminal: ``COLUMNS=58 make demo > demo.txt`` wrote down all of it.

Shown is what a reader looks at: the choice of backends, a restore, the second copy, what would be
pruned, a file taken out.
"""

from __future__ import annotations

from pathlib import Path

from pictures.canvas import Canvas

RECORDED = Path(__file__).resolve().parents[2] / "pictures" / "demo.txt"
EXCERPTS = (
    ("3. Backups", 10),
    ("--name monday work", 4),
    ("   restore datera_tuesday", 4),
    ("5. Day two", 2),
    ("cinder.conf copy", 4),
    ("what would go", 5),
    ("debugfs -R", 5),
    ("All as promised", 1),
)
"""What the first line has, and how many lines."""

PITCH = 17
_TITLE = (
    "The recorded output of make demo: backups go to Datera and Swift by their names, one without "
    "a prefix to the primary, a restore is compared byte by byte, a backup is copied, a policy "
    "says what goes and what stays, a file is taken out of a mounted backup."
)


def demo() -> Canvas:
    """The picture."""
    shown = _shown()
    drawn = Canvas(44 + PITCH * len(shown), _TITLE)
    drawn.box(2, 2, 476, 40 + PITCH * len(shown))
    drawn.words(18, 25, "$ make demo", kind="mono quiet")
    typed = False
    for number, line in enumerate(shown):
        if not line.strip():
            continue
        typed = line.lstrip().startswith("$ ") or (typed and shown[number - 1].endswith("\\"))
        kind = "one" if typed else "bold" if line[0] != " " else ""
        x = 18 + (len(line) - len(line.lstrip())) * Canvas.SIGN
        drawn.words(x, 46 + number * PITCH, line.strip(), kind=f"mono {kind}".strip())
    return drawn


def _shown() -> list[str]:
    lines = RECORDED.read_text(encoding="utf-8").splitlines()
    shown: list[str] = []
    for begins, count in EXCERPTS:
        first = next(number for number, line in enumerate(lines) if begins in line)
        if shown and not lines[first].startswith(("5.", "All")):
            shown.append("   …")
        elif shown:
            shown.append("")
        shown += lines[first : first + count]
    return shown
