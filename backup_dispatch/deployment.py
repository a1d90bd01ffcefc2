# SPDX-License-Identifier: Apache-2.0
"""What concerns the service as a whole: what Cinder runs, on which hosts, and whose records."""

from __future__ import annotations

import importlib.util
import inspect
import shlex
from collections.abc import Iterator
from typing import Any

from cinder import coordination as _coordination  # noqa: F401 - registers backend_url
from cinder import objects
from oslo_utils import importutils
from sqlalchemy import func

from backup_dispatch import records
from backup_dispatch.backends.configured import Backends, class_path
from backup_dispatch.drivers.finding import Finding, State, told_by
from backup_dispatch.errors import OwnerUnresolved

BINARY = "cinder-backup"
WHAT_CINDER_RUNS = "backup_driver"

# Before Cinder 29 the database's statements and its models lay in a package below.
_DATABASE = (
    "cinder.db.sqlalchemy" if importlib.util.find_spec("cinder.db.sqlalchemy") else "cinder.db"
)

_LINE = f"Change the line to: backup_driver = {records.DISPATCHER}"


def what_cinder_runs(conf: Any) -> Finding:
    """Whether ``backup_driver`` names the dispatcher: else nothing of it is used."""
    path = conf.backup_driver
    where = f"[DEFAULT] backup_driver = {path}"
    try:
        named = importutils.import_class(path)
    except (ImportError, ValueError) as error:
        text = (
            f"{where} names no class ({told_by(error)}), so cinder-backup does not start. {_LINE}"
        )
        return Finding(WHAT_CINDER_RUNS, State.DOWN, text)
    if not inspect.isclass(named) or class_path(named) != records.DISPATCHER:
        text = (
            f"{where}: Cinder runs that driver alone, and the dispatcher's backends are not used. "
            f"{_LINE}"
        )
        return Finding(WHAT_CINDER_RUNS, State.DOWN, text)
    return Finding(WHAT_CINDER_RUNS)


def coordination(conf: Any, context: Any, *, here: str | None = None) -> Finding:
    """Whether the hosts that run cinder-backup see one another's locks.

    :param here: a host that counts though it may not have said yet that it lives.
    """
    services = objects.ServiceList.get_all(context, {"binary": BINARY})
    hosts = {service.host for service in services if service.is_up} | ({here} if here else set())
    url = str(conf.coordination.backend_url)
    if len(hosts) < 2 or not url.startswith("file:"):  # noqa: PLR2004 - more than one
        return Finding("coordination")
    text = (
        f"{BINARY} runs on {len(hosts)} hosts ({', '.join(sorted(hosts))}), and [coordination] "
        f"backend_url = {url} keeps locks on one host only. Name a service that all of them share, "
        "such as etcd3+http://HOST:2379"
    )
    return Finding("coordination", State.WARN, text)


def ownerless_records(context: Any, enabled: Backends) -> Iterator[Finding]:
    """Records that say a backend which is not enabled: those backups can only be listed."""
    yield Finding("records")
    for service, count in sorted(backups_by_service(context).items()):
        if records.is_unresolved(service):
            continue
        try:
            records.recorded_owner("", service, enabled)
        except OwnerUnresolved:
            yield Finding("", State.WARN, _ownerless(service, count))


def _ownerless(service: str, count: int) -> str:
    several = f"{count} backups are" if count > 1 else "1 backup is"
    return (
        f"{several} held by {service}, which is no enabled backend: no restore, no deletion. "
        "Enable it again; or, if its section was renamed, backup-dispatch adopt --from "
        f"{shlex.quote(service)} BACKEND"
    )


def database_unusable(error: Exception) -> Finding:
    """What to say where none of this could be read."""
    told = str(error).split("\n", maxsplit=1)[0].rstrip(". ")
    text = (
        f"Cinder's database cannot be used: {told}. Correct [database] connection, or run this as "
        f"the user of cinder-backup, who can read the cinder.conf that says it: sudo -u cinder …"
    )
    return Finding("", State.DOWN, text)


def backups_by_service(context: Any) -> dict[str, int]:
    """How many living records there are, of all projects, by what their ``service`` says.

    One statement, however many there are.
    """
    database = importlib.import_module(f"{_DATABASE}.api")
    backup = importlib.import_module(f"{_DATABASE}.models").Backup
    with database.main_context_manager.reader.using(context) as session:
        counted = session.query(backup.service, func.count(backup.id))
        rows = counted.filter(backup.deleted.is_(False)).group_by(backup.service).all()
    return {service or "": count for service, count in rows}
