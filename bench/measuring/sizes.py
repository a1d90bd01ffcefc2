# SPDX-License-Identifier: Apache-2.0
"""Sizes on the command line."""

from __future__ import annotations

import argparse
import re


def size_of(text: str) -> int:
    """Return the bytes that a text like ``256M``, ``2G`` or ``1T`` stands for.

    :raises argparse.ArgumentTypeError: it is no such text.
    """
    match = re.fullmatch(r"(\d+)([MGT])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text} is not a number with M, G or T")
    return int(match[1]) << {"M": 20, "G": 30, "T": 40}[match[2]]
