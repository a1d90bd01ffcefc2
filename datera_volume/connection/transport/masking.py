# SPDX-License-Identifier: Apache-2.0
"""Masking of secrets in logs and errors."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from itertools import chain
from typing import Any
from urllib.parse import quote

MASK = "***"

# The API's field names of secrets: logins, CHAP, object storage, remote providers.
SECRET_KEYS = frozenset(
    {
        "auth-token",
        "access_key",
        "initiator_pswd",
        "key",
        "keys",
        "new_password",
        "old_password",
        "password",
        "passwd",
        "pswd",
        "secret",
        "secret_key",
        "target_pswd",
        "token",
    }
)

# Sessions expire after 15 minutes: this many logins back, a key may still appear in a response.
KEYS_REMEMBERED = 64
# Twice the cluster's limit of storage instances. What another process has deleted is unknown here,
# and must not be remembered for ever.
PLACES_REMEMBERED = 8192


def masked_data(value: Any) -> Any:
    """Return a copy of a JSON value with the values of secret fields masked."""
    if isinstance(value, dict):
        return {
            key: MASK if str(key).lower() in SECRET_KEYS else masked_data(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked_data(item) for item in value]
    return value


def secrets_in(value: Any) -> Iterator[str]:
    """Yield the string values of secret fields in a JSON value."""
    if isinstance(value, dict):
        for key, item in value.items():
            if str(key).lower() not in SECRET_KEYS:
                yield from secrets_in(item)
            elif isinstance(item, str):
                yield item
    elif isinstance(value, list):
        for item in value:
            yield from secrets_in(item)


class Masker:
    """Remembers the secrets of one cluster and masks them in texts.

    Session keys, and secrets that were set on objects of the cluster, are remembered separately:
    however many there are of one kind, none of the other is forgotten for them.

    :param secrets: those that are never forgotten.
    """

    def __init__(self, *secrets: str) -> None:
        self._lock = threading.Lock()
        self._lasting = [form for secret in secrets for form in _forms(secret)]
        self._keys: deque[str] = deque(maxlen=KEYS_REMEMBERED)
        self._given: OrderedDict[str, list[str]] = OrderedDict()
        self._forms: list[str] | None = None

    def learn_key(self, key: str) -> None:
        """Remember a session key, until many more have followed."""
        with self._lock:
            if key in self._keys:
                self._keys.remove(key)
            self._keys.append(key)
            self._forms = None

    def learn(self, place: str, *secrets: str) -> None:
        """Remember secrets that are about to be set on an object of the cluster.

        :param place: its path. Its previous secrets are remembered too: it may keep them.
        """
        if not secrets:
            return
        with self._lock:
            given = self._given.setdefault(place, [])
            given.extend(secret for secret in secrets if secret not in given)
            self._given.move_to_end(place)
            while len(self._given) > PLACES_REMEMBERED:
                self._given.popitem(last=False)
            self._forms = None

    def replaced(self, place: str, *secrets: str) -> None:
        """Remember only these secrets of an object: it has no others."""
        with self._lock:
            if secrets and self._given.get(place) != list(secrets):
                self._given[place] = list(secrets)
                self._forms = None

    def gone(self, place: str) -> None:
        """Mark the secrets of a deleted object, and of all below it, to be forgotten first."""
        with self._lock:
            for one in [one for one in self._given if f"{one}/".startswith(f"{place}/")]:
                self._given.move_to_end(one, last=False)

    def text(self, value: object) -> str:
        """Return the value as a string with all secrets masked."""
        text = str(value)
        for form in self._all_forms():
            text = text.replace(form, MASK)
        return text

    def body(self, value: Any, most: int = 4096) -> str:
        """Return a JSON value as a string to log: masked by name and by value, cut to ``most``."""
        if value is None:
            return "-"
        whole = json.dumps(masked_data(value), default=str, sort_keys=True)
        if len(whole) <= most:
            return self.text(whole)
        # Searching all of a long list for thousands of secrets is slow. The end of the part that
        # is searched may be the beginning of a secret, which is not recognised: it is cut off.
        margin = max(map(len, self._all_forms()), default=0)
        masked = self.text(whole[: most + margin])
        return f"{masked[: max(0, min(most, len(masked) - margin))]}… ({len(whole)} characters)"

    def _all_forms(self) -> list[str]:
        """Return all texts to mask, the longest first."""
        with self._lock:
            if self._forms is None:
                secrets = {*self._keys, *chain.from_iterable(self._given.values())}
                forms = {form for secret in secrets for form in _forms(secret)}
                self._forms = sorted(forms.union(self._lasting), key=len, reverse=True)
            return self._forms


def _forms(secret: str) -> list[str]:
    """The forms of a secret: as it is, in JSON, in a URL."""
    return list(dict.fromkeys(f for f in (secret, json.dumps(secret)[1:-1], quote(secret)) if f))
