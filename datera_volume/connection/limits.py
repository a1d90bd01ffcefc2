# SPDX-License-Identifier: Apache-2.0
"""How a full cluster is told from one that refuses for another reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from datera_volume.connection.errors import LimitReached, RequestInvalid, RequestRefused

# The words of a real cluster are not known: these are what such a refusal cannot do without.
_FULL = re.compile(r"\b(limits?|no more|maximum number|too many|quota|exceed(s|ed)?)\b", re.I)
_STATUS = re.compile(r"^.*?: \d{3} ", re.DOTALL)
"""What an error's text begins with: what was asked, which may hold any name, and the status."""


@contextmanager
def room_for(what: str, remedy: str) -> Iterator[None]:
    """Say so plainly where the cluster refuses because it is full.

    :param what: the object that was to be made.
    :param remedy: what whoever reads it can do.
    :raises LimitReached: it has as many as it takes.
    """
    try:
        yield
    except RequestInvalid:
        raise  # a value is out of its bounds
    except RequestRefused as refused:
        told = _STATUS.sub("", str(refused), count=1)
        if not _FULL.search(told):
            raise
        # First what Cinder keeps of it: 255 characters.
        text = f"the cluster's limit is met, no room for {what}: {told.rstrip('.')}. {remedy}"
        raise LimitReached(f"{text} ({refused})", code=refused.code) from refused
