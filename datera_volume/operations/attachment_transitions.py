# SPDX-License-Identifier: Apache-2.0
"""The pending attachments and detachments of a volume, shared by all processes of all hosts.

A transition is one value of the metadata of the volume's app instance: the array stores it, and it
is deleted with the volume. A key is never removed, since an array may not support that; it is
reused. Values contain no names: hashes stand for initiators, connectors and records.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from oslo_log import log as logging

from datera_volume.connection import AppInstance, RequestRefused, Tenant
from datera_volume.operations.attachment_tracker import UNKNOWN, Transition

LOG = logging.getLogger(__name__)

KEY = "cinder_move_{}"
FREE = "-"
"""The value of an unused key: an empty value might not be stored."""

# All metadata of an app instance together hold some 2,000 characters.
MOST_OTHERS = 8

_KEY = re.compile(r"cinder_move_\d+")
_NOTE = re.compile(
    r"(?P<at>\d+) (?P<kind>[al]) (?P<iqn>[0-9a-f]+) (?P<connector>[0-9a-f]+)"
    r" (?P<records>(?:[0-9a-f]+,?)*)(?: (?P<others>(?:[0-9a-f]+:[0-9a-f]+,?)*))?"
)


class TransitionStore:
    """The stored transitions of one volume; to be used while its attachments are locked."""

    def __init__(self, tenant: Tenant, ai: AppInstance) -> None:
        self._tenant = tenant
        self._ai = ai
        self._there: dict[str, str] | None = None

    def read(self) -> tuple[Transition, ...]:
        """Return the stored transitions.

        One of which only the time is readable stands for an arrival of any host.
        """
        found = (self._transition(key, value) for key, value in sorted(self._values().items()))
        return tuple(transition for transition in found if transition is not None)

    def write(self, transitions: Sequence[Transition], *, at_once: bool = False) -> None:
        """Store these transitions in place of the previous ones.

        Where the array has no room for them, they are not stored, and a warning is logged: two
        hosts that attach and detach concurrently may then not see each other.

        :param at_once: send one request, and do not retry a busy or unreachable cluster.
        """
        there = self._values()
        wanted = {
            KEY.format(number): encoded(transition)
            for number, transition in enumerate(transitions, 1)
        }
        changed = {**dict.fromkeys(there, FREE), **wanted}
        changed = {key: value for key, value in changed.items() if there.get(key) != value}
        if not changed:
            return
        try:
            asking = self._tenant.at_once() if at_once else self._tenant
            asking.update_metadata(self._ai, changed)
        except RequestRefused as exc:
            LOG.warning(
                "Pending attachments of %s could not be stored in its metadata: %s",
                self._ai.name,
                exc,
            )
            return
        self._there = {**there, **changed}

    def _values(self) -> dict[str, str]:
        if self._there is None:
            values = self._tenant.metadata(self._ai)
            self._there = {key: value for key, value in values.items() if _KEY.fullmatch(key)}
        return self._there

    def _transition(self, key: str, value: str) -> Transition | None:
        if value == FREE:
            return None
        transition = decoded(value)
        if transition is None or transition.iqn == UNKNOWN:
            LOG.warning("%s of app instance %s is invalid: %r", key, self._ai.name, value)
        return transition


def encoded(transition: Transition) -> str:
    """Return the value to store; truncated, it still has its time."""
    others = [f"{record}:{iqn}" for record, iqn in sorted(transition.others.items())]
    values = [
        str(int(transition.at)),
        transition.kind[0],
        transition.iqn,
        transition.connector,
        ",".join(sorted(transition.records)),
        ",".join(others[:MOST_OTHERS]),
    ]
    return " ".join(values)


def decoded(note: str) -> Transition | None:
    """Return the stored transition; None where not even the time is readable."""
    found = _NOTE.fullmatch(note)
    if found is None:
        time = re.match(r"\d{1,12}(?!\d)", note)
        return Transition("arriving", UNKNOWN, UNKNOWN, float(time.group())) if time else None
    pairs = [pair.split(":") for pair in (found["others"] or "").split(",") if pair]
    return Transition(
        "arriving" if found["kind"] == "a" else "leaving",
        found["iqn"],
        found["connector"],
        float(found["at"]),
        frozenset(record for record in found["records"].split(",") if record),
        dict(pairs),
    )
