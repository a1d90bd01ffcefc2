# SPDX-License-Identifier: Apache-2.0
"""Ceph: its configuration, the connection, and the pool."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

from backup_dispatch.drivers.native import in_native_threads
from backup_dispatch.examination.finding import Finding, Options, State, told_by

SECONDS = "10"
"""To wait for a monitor, and for an answer."""

TIMEOUTS = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")
"""The options of Ceph's client that bound how long it waits; without, it may wait for ever."""


def ceph(options: Options, module: dict[str, Any], make: Callable[[], Any]) -> Iterator[Finding]:
    """Look at all that the driver needs before it writes.

    :param module: the names in the driver's module.
    :param make: makes a driver object, which does not connect yet.
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
    client = in_native_threads(
        driver.rados.Rados(rados_id=options["backup_ceph_user"], conffile=path)
    )
    for name in TIMEOUTS:
        with suppress(driver.rados.Error):  # some releases do not have all of them
            client.conf_set(name, SECONDS)
    try:
        client.connect()
    except driver.rados.Error as error:
        yield Finding("connection", State.DOWN, _not_connected(options, error))
        return
    try:
        yield Finding("connection")
        yield _pool(options, driver, client)
    finally:
        client.shutdown()


def _not_connected(options: Options, error: Exception) -> str:
    user, conf = options.set_to("backup_ceph_user"), options.set_to("backup_ceph_conf")
    if type(error).__name__ in ("ObjectNotFound", "PermissionDeniedError", "PermissionError"):
        return (
            f"Ceph has no usable key for {user}: {told_by(error)}. Put the keyring "
            f"ceph.client.{options['backup_ceph_user']}.keyring beside {conf}, readable for the "
            "user of cinder-backup."
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
        text = (
            f"Ceph does not let the user {user} read {where}: {told_by(error)}. Allow it: ceph "
            f"auth caps client.{user} mon 'profile rbd' osd 'profile rbd pool={pool}'"
        )
        return Finding("pool", State.DOWN, text)
    return Finding("pool")
