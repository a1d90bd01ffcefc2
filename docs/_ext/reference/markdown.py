# SPDX-License-Identifier: Apache-2.0
"""What stands in a help or a docstring, as Markdown."""

from __future__ import annotations

import re

_ROLE = re.compile(r":\w+:`[~.]*([\w.]+)`")
_SPECIAL = re.compile(r"(?<!\\)([*<])")
_CODE = re.compile(
    r"(?<![\w`/.=-])(--?[a-z][\w-]*|(?:backup|datera|enabled_backup|keep)_\w+|DF:\w+|\w+_\w+)"
    r"(?![\w`/(=*-]|\.\w)"
)


def marked(told: str) -> str:
    """The text with options and names as code, and nothing else taken for Markdown."""
    parts = _ROLE.sub(r"`\1`", told).replace("``", "`").split("`")
    plain = [_CODE.sub(r"`\1`", _SPECIAL.sub(r"\\\1", part)) for part in parts[::2]]
    woven = [f"{words}`{code}`" for words, code in zip(plain, parts[1::2], strict=False)]
    return "".join([*woven, *plain[len(woven) :]])
