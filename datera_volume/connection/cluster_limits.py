# SPDX-License-Identifier: Apache-2.0
"""Telling a refusal because of a limit from any other refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from datera_volume.connection.errors import LimitReached, RequestInvalid, RequestRefused

# The exact wording of a real cluster is not known: such a refusal contains at least one of these.
_FULL = re.compile(r"\b(limits?|no more|maximum number|too many|quota|exceed(s|ed)?)\b", re.I)
_STATUS = re.compile(r"^.*?: \d{3} ", re.DOTALL)
"""How an error message begins: the request, which may contain any name, and the status."""


@contextmanager
def room_for(what: str, remedy: str) -> Iterator[None]:
    """Raise a clear error where the cluster refuses because it has reached a limit.

    :param what: the object to be created.
    :param remedy: what the operator can do.
    :raises LimitReached: the cluster has reached its limit.
    """
    try:
        yield
    except RequestInvalid:
        raise  # a value is out of its bounds
    except RequestRefused as refused:
        message = _STATUS.sub("", str(refused), count=1)
        if not _FULL.search(message):
            raise
        # The important part first: Cinder keeps 255 characters.
        text = f"cluster limit reached: cannot create {what}: {message.rstrip('.')}. {remedy}"
        raise LimitReached(f"{text} ({refused})", code=refused.code) from refused
