# SPDX-License-Identifier: Apache-2.0
"""Keeps secrets out of what is printed: reasons come from drivers, and some tell too much."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg
from oslo_utils import strutils

MASK = "***"
SHORTEST = 4
"""Characters of a secret: what is shorter stands in many a word."""

_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")


def masked(text: str, conf: Any = None) -> str:
    """The text without the values of secret options, and without what looks like a password.

    :param conf: the configuration; Cinder's own if None.
    """
    for secret in sorted(_secrets(cfg.CONF if conf is None else conf), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return str(strutils.mask_password(_IN_URL.sub(rf"\1{MASK}@", text)))


def _secrets(conf: Any) -> Iterator[str]:
    # oslo.config has no public way to ask for all options.
    for info, group in list(conf._all_opt_infos()):
        option = info["opt"]
        if not option.secret:
            continue
        try:
            value = (conf[group.name] if group else conf)[option.dest]
        except (cfg.Error, ValueError):
            continue
        # A database's URL is secret as a whole; what it is made of is not.
        if isinstance(value, str) and len(value) >= SHORTEST:
            yield value
