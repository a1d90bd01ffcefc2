# SPDX-License-Identifier: Apache-2.0
"""Whether a lock is still held: the coordination backend is asked where tooz does not do it."""

from __future__ import annotations

from typing import Any

import tooz


def is_held(lock: Any) -> bool:
    """Return whether a lock that was acquired is still held, as far as the backend can tell.

    tooz asks Redis, ZooKeeper, memcached and Kubernetes. Of etcd's and the databases' locks it only
    knows that they were acquired once, so these are asked here, by the means of tooz' own classes.

    :raises tooz.ToozError: the backend does not answer.
    """
    try:
        return bool(lock.is_still_owner())
    except tooz.NotImplemented:
        pass
    if not getattr(lock, "acquired", True):
        return False
    if hasattr(lock, "_uuid") and hasattr(lock, "_key_b64"):
        return _is_in_etcd(lock)
    if hasattr(lock, "_conn"):
        return _has_its_session(lock._conn)
    return True


def _is_in_etcd(lock: Any) -> bool:
    """Whether the lock's key has the value that this lock has put there: a lease may have ended."""
    compared = {
        "key": lock._key_b64,
        "result": "EQUAL",
        "target": "VALUE",
        "value": lock._uuid,
    }
    try:
        answer = lock._coord.client.transaction({"compare": [compared]})
    except Exception as unknown:  # etcd3gw and requests have a family of errors each
        raise tooz.ToozError(str(unknown)) from unknown
    return bool(answer.get("succeeded", False))


def _has_its_session(connection: Any) -> bool:
    """Whether the connection that took a lock is there: databases keep a lock as long as that."""
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.fetchall()
    except Exception:  # the drivers of databases have a family of errors each
        return False
    return True
