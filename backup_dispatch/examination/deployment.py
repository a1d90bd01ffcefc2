# SPDX-License-Identifier: Apache-2.0
"""Checks of the service as a whole: Cinder's driver, the hosts, and the records' owners."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterator
from typing import Any

from cinder import coordination as _coordination  # noqa: F401 - registers backend_url
from cinder import objects
from oslo_utils import importutils

from backup_dispatch import records
from backup_dispatch.backends.configured import Backends, class_path
from backup_dispatch.backup_rows import tallies
from backup_dispatch.errors import OwnerUnresolved
from backup_dispatch.examination.finding import Finding, State, told_by

BINARY = "cinder-backup"
WHAT_CINDER_RUNS = "backup_driver"

_LINE = f"Change the line to: backup_driver = {records.DISPATCHER}"


def what_cinder_runs(conf: Any) -> Finding:
    """Whether ``backup_driver`` names the dispatcher: else it is not used at all."""
    path = conf.backup_driver
    where = f"[DEFAULT] backup_driver = {path}"
    try:
        named = importutils.import_class(path)
    except (ImportError, ValueError) as error:
        # Cinder's own message about a missing class contains a traceback.
        told = told_by(error).partition(" ([")[0]
        text = f"{where} cannot be loaded ({told}), so cinder-backup does not start. {_LINE}"
        return Finding(WHAT_CINDER_RUNS, State.DOWN, text)
    if not inspect.isclass(named) or class_path(named) != records.DISPATCHER:
        text = (
            f"{where}: Cinder runs that driver alone, and the dispatcher's backends are not used. "
            f"{_LINE}"
        )
        return Finding(WHAT_CINDER_RUNS, State.DOWN, text)
    return Finding(WHAT_CINDER_RUNS)


def coordination(conf: Any, context: Any, *, here: str | None = None) -> Finding:
    """Whether the cinder-backup hosts share their locks.

    :param here: a host that counts even if it has not reported yet.
    """
    services = objects.ServiceList.get_all(context, {"binary": BINARY})
    hosts = {service.host for service in services if service.is_up} | ({here} if here else set())
    url = str(conf.coordination.backend_url)
    if len(hosts) < 2 or not url.startswith("file:"):  # noqa: PLR2004 - more than one
        return Finding("coordination")
    text = (
        f"{BINARY} runs on {len(hosts)} hosts ({', '.join(sorted(hosts))}), and [coordination] "
        "backend_url is a file: URL, so none sees the locks of another. Name a service that all of "
        "them share, such as etcd3+http://HOST:2379"
    )
    return Finding("coordination", State.WARN, text)


def ownerless_records(context: Any, enabled: Backends) -> Iterator[Finding]:
    """Records of backends that are not enabled: those backups can only be listed."""
    yield Finding("records")
    for tally in tallies(context):
        if records.is_unresolved(tally.service):
            continue
        service = tally.service or ""
        try:
            records.recorded_owner("", service, enabled)
        except OwnerUnresolved:
            yield Finding("", State.WARN, _ownerless(service, tally.backups))


def _ownerless(service: str, count: int) -> str:
    several = f"{count} backups are" if count > 1 else "1 backup is"
    return (
        f"{several} held by {service}, which is no enabled backend: no restore, no deletion. "
        "Enable it again; or, if its section was renamed, backup-dispatch adopt --from "
        f"{shlex.quote(service)} BACKEND"
    )
