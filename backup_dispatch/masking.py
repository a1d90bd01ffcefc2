# SPDX-License-Identifier: Apache-2.0
"""Keeps secrets, and what steers a terminal, out of what is printed.

Reasons come from drivers, and some contain secrets; names come from users.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from oslo_config import cfg
from oslo_utils import strutils

MASK = "***"

SHORTEST = 3
"""Minimum length of a secret: anything shorter occurs everywhere."""

LONG = 12
"""Length from which a secret is masked wherever it occurs, unless it is a word."""

LONGEST_WORD = 16
"""Length from which nothing counts as a word."""

LINES = "\n\t"
"""What may stand between the lines of a message."""

_JOINERS = "\u200c\u200d"
"""Within words of Persian or Hindi, and within emoji."""

_WORD = re.compile(r"[a-z]+|[A-Z][a-z]+|[A-Z]+|[0-9]+")

_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_PASSWORDS = re.compile(r"(?<=[/,])[^/\s:@,]*:([^/\s@]+)@")

_BEFORE = r"""(?:(?<=[=:"'`])|(?<=[=:] ))"""
_AFTER = r"""(?=$|[\s"'`)\]}>,;&@.!?])"""
"""Where a value occurs: after a character that introduces one, up to the end of a word."""

_NAMED = (
    r"""(?<![^\s"'`(])(?i:passwords?|secrets?|keys?|tokens?|credentials?|bearer|basic)"""
    r"\s+(?:(?i:is|was)\s+)?"
)


def masked(text: str, conf: Any = None) -> str:
    """The text without the values of secret options, and without what looks like a password.

    A long secret, or one of mixed characters, is masked wherever it occurs. One that is short
    or a word, such as the key ``swift``, is masked where it occurs as a value: after ``=`` or
    ``:``, in quotes, in a URL, after the word password and the like, or as the whole text. The same
    word in a sentence does not reveal that it is the key.

    :param conf: the configuration; Cinder's own if None.
    """
    for secret in sorted(_secrets(cfg.CONF if conf is None else conf), key=len, reverse=True):
        text = _without(secret, text)
    return str(strutils.mask_password(_IN_URL.sub(rf"\1{MASK}@", text)))


def printable(text: str, keep: str = "") -> str:
    """The text, with the escape sequence of each character that is no sign, but acts on a terminal.

    Such are control characters, line breaks, and what reverses the direction of writing. Those that
    join or separate signs of a word are part of many scripts, and stay.

    :param keep: characters that stay as well.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign in keep or _is_printable(sign) else sign.encode("unicode_escape").decode()
        for sign in text
    )


def _is_printable(sign: str) -> bool:
    return sign.isprintable() or sign in _JOINERS or unicodedata.category(sign) == "Zs"


def _without(secret: str, text: str) -> str:
    if text.strip() == secret:
        return MASK
    if _is_random(secret):
        return text.replace(secret, MASK)
    if secret not in text:
        return text
    value = re.escape(secret)
    text = re.sub(rf"({_NAMED}){value}{_AFTER}", rf"\1{MASK}", text)
    return re.sub(rf"{_BEFORE}{value}{_AFTER}", MASK, text)


def _is_random(secret: str) -> bool:
    """Whether the text can only be the secret: it is long, or of mixed characters."""
    if _WORD.fullmatch(secret):
        return len(secret) >= LONGEST_WORD
    kinds = sum(
        any(one(sign) for sign in secret)
        for one in (str.islower, str.isupper, str.isdigit, lambda sign: not sign.isalnum())
    )
    return len(secret) >= LONG or (kinds > 2 and len(secret) >= LONG // 2)  # noqa: PLR2004 - of 4


def _secrets(conf: Any) -> Iterator[str]:
    # oslo.config has no public way to list all options.
    for info, group in list(conf._all_opt_infos()):
        option = info["opt"]
        if not option.secret:
            continue
        try:
            value = (conf[group.name] if group else conf)[option.dest]
        except (cfg.Error, ValueError):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield from (part for part in _parts(one) if len(part) >= SHORTEST)


def _parts(value: str) -> Iterator[str]:
    """The secret parts of a value: of a URL with passwords, such as a database's, only these."""
    passwords = _PASSWORDS.findall(value) if "://" in value else []
    for one in passwords:
        yield from {one, unquote(one)}
    if not passwords and not value.startswith("sqlite:"):
        yield value
