# SPDX-License-Identifier: Apache-2.0
"""Ceph: its configuration, the connection, and the pool."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

from backup_dispatch.drivers.native import in_native_threads
from backup_dispatch.examination.finding import Finding, Options, State, told_by

SECONDS = "10"
"""Seconds to wait for a monitor, and for an answer."""

TIMEOUTS = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")
"""The timeouts of Ceph's client; without them it may wait forever."""

_NO_KEY = frozenset({"ObjectNotFound", "PermissionDeniedError", "PermissionError", "IOError"})
_NO_RIGHTS = frozenset({"PermissionDeniedError", "PermissionError"})


def ceph(options: Options, module: dict[str, Any], make: Callable[[], Any]) -> Iterator[Finding]:
    """Check everything that the driver needs before it writes.

    :param module: the names in the driver's module.
    :param make: creates a driver object, which does not connect yet.
    """
    if module.get("rados") is None or module.get("rbd") is None:
        yield Finding(
            "package",
            State.DOWN,
            "The Python modules rados and rbd are not installed. Install the distribution's "
            "packages (python3-rados, python3-rbd) where Cinder can import them.",
        )
        return
    missing = options.missing("backup_ceph_user", "backup_ceph_pool", "backup_ceph_conf")
    if missing:
        yield missing
        return
    path = options["backup_ceph_conf"]
    if not os.access(path, os.R_OK):
        why = "cannot be read by this user" if os.path.exists(path) else "does not exist"
        text = f"{options.set_to('backup_ceph_conf')} {why}. Name the cluster's ceph.conf."
        yield Finding("options", State.DOWN, text)
        return
    driver = make()
    try:
        client = in_native_threads(
            driver.rados.Rados(rados_id=options["backup_ceph_user"], conffile=path)
        )
    except driver.rados.Error as error:
        text = (
            f"{options.set_to('backup_ceph_conf')} cannot be read as Ceph's configuration: "
            f"{told_by(error)}. Name the cluster's ceph.conf."
        )
        yield Finding("options", State.DOWN, text)
        return
    wait_no_longer(driver, client)
    try:
        client.connect()
    except driver.rados.Error as error:
        yield Finding("connection", State.DOWN, _not_connected(options, error, client))
        return
    try:
        yield Finding("connection")
        yield _pool(options, driver, client)
    finally:
        client.shutdown()


def wait_no_longer(driver: Any, client: Any) -> None:
    """Let a Ceph client time out after so many seconds, connected or not."""
    for name in TIMEOUTS:
        with suppress(driver.rados.Error):  # some releases do not have all of them
            client.conf_set(name, SECONDS)


def _not_connected(options: Options, error: Exception, client: Any) -> str:
    user, conf = options.set_to("backup_ceph_user"), options.set_to("backup_ceph_conf")
    # Ceph's error is the same whether no monitor is configured or the key is missing.
    if type(error).__name__ == "ObjectNotFound" and not client.conf_get("mon_host"):
        return f"{conf} names no monitor. Set mon_host there."
    if type(error).__name__ in _NO_KEY:
        # The client's default path contains the name of the configuration file.
        stem = os.path.splitext(os.path.basename(options["backup_ceph_conf"]))[0]
        name = options["backup_ceph_user"]
        return (
            f"Ceph has no usable key for {user}: {told_by(error)}. Name its keyring in {conf} "
            f"(keyring = …), or put it at /etc/ceph/{stem}.client.{name}.keyring, readable for the "
            f"user of cinder-backup; what the cluster knows, ceph auth get client.{name} tells."
        )
    return (
        f"Ceph's monitors do not answer: {told_by(error)}. Look at mon_host in {conf}, and at the "
        "cluster (ceph -s)."
    )


def _pool(options: Options, driver: Any, client: Any) -> Finding:
    pool, where = options["backup_ceph_pool"], options.set_to("backup_ceph_pool")
    user = options["backup_ceph_user"]
    try:
        if not client.pool_exists(pool):
            text = f"Ceph has no pool of {where}. Correct the name, or: ceph osd pool create {pool}"
            return Finding("pool", State.DOWN, text)
        with closing(client.open_ioctx(pool)) as opened:
            in_native_threads(driver.rbd.RBD()).list(opened)
    except Exception as error:
        if _timed_out(error):
            text = f"Ceph's OSDs do not answer for {where}: {told_by(error)}. Look at ceph -s."
        elif type(error).__name__ in _NO_RIGHTS:
            # No command that sets the capabilities: it would remove those that it does not name.
            text = (
                f"Ceph does not let the user {user} read {where}: {told_by(error)}. Add to the "
                f"rights that ceph auth get client.{user} shows: mon 'profile rbd' and osd "
                f"'profile rbd pool={pool}'."
            )
        else:
            text = f"{where} cannot be read: {told_by(error)}. Look at ceph -s."
        return Finding("pool", State.DOWN, text)
    return Finding("pool")


def _timed_out(error: Exception) -> bool:
    return abs(getattr(error, "errno", None) or 0) == errno.ETIMEDOUT or type(error).__name__ in (
        "TimedOut",
        "Timeout",
    )
