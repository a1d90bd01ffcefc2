# SPDX-License-Identifier: Apache-2.0
"""Checks of the backend's configuration that change nothing, for ``backup-dispatch check``.

Each step is a tuple, as the command takes it from any driver: what was checked; one
of the words ``up``, ``warn``, ``unknown``, ``unwritable`` and ``down``; and one line that says what
is wrong, where, and the remedy. ``unwritable``: no backup can be made, what is there can be
restored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

from oslo_privsep.daemon import FailedToDropPrivileges

from datera_backup import naming
from datera_backup.clean_up import CleanUp
from datera_backup.container import GIB
from datera_backup.error_mapping import translated
from datera_backup.errors import AttachFailed, BackupFailed, CleanUpIncomplete, ContainerGone
from datera_backup.opts import section_of
from datera_backup.storage import containers
from datera_backup.storage.backend import DateraBackend
from datera_backup.storage.host import this_initiator
from datera_volume.connection import (
    CertificateRefused,
    DateraError,
    LoginRefused,
    PermissionRefused,
    Tenant,
    chain_of,
)

Step = tuple[str, str, str]

UP, WARN, UNKNOWN, UNWRITABLE, DOWN = "up", "warn", "unknown", "unwritable", "down"

NEARLY_FULL = 0.05
"""The share of its capacity that a cluster should have free."""


def examine(backend_of: Callable[[], DateraBackend], configuration: Any) -> Iterator[Step]:
    """Log in, and check what a backup needs; a busy cluster is not retried.

    :param backend_of: makes the backend, or raises what is wrong with the options.
    """
    section = section_of(configuration)
    try:
        backend = backend_of()
    except DateraError as error:
        yield "options", DOWN, f"[{section}] {str(error).rstrip('.')}. Correct it."
        return
    yield "options", UP, ""
    try:
        exists = backend.tenant.at_once().exists()
    except DateraError as error:
        yield "login", DOWN, _not_logged_in(backend, section, error)
        return
    yield "login", UP, ""
    yield _tenant(backend, section, exists)
    # What is not there answers nothing.
    asked = (backend.cluster.tenant() if exists is False else backend.tenant).at_once()
    if backend.settings.placement_policy:
        yield _placement_policy(asked, backend.settings.placement_policy, section)
    yield _room(asked, backend)
    yield _initiator()


def _not_logged_in(backend: DateraBackend, section: str, error: DateraError) -> str:
    told = str(error).rstrip(".")
    if isinstance(error, LoginRefused):
        remedy = f"Correct [{section}] backup_datera_san_login and backup_datera_san_password."
    elif isinstance(error, CertificateRefused) and "VERIFY_FAILED" in told:
        remedy = (
            "Add the cluster's certificate, or the CA that signed it, to "
            f"[{section}] backup_datera_ssl_cert_path."
        )
    else:
        settings = backend.settings.cluster
        remedy = (
            f"Correct [{section}] backup_datera_san_ip, backup_datera_api_port or "
            f"backup_datera_use_ssl (now {settings.scheme}://{settings.address}), or check "
            "the cluster and the network path to it."
        )
    return f"{told}. {remedy}"


def _tenant(backend: DateraBackend, section: str, exists: bool | None) -> Step:
    path = backend.tenant.path
    option = f"[{section}] backup_datera_tenant_id = {backend.settings.tenant}"
    if exists is False:
        text = (
            f"The cluster {backend.address} has no tenant {path} ({option}). The service creates "
            "it with the first backup: correct the name if it is misspelt."
        )
        return "tenant", WARN, text
    # A user of a tenant need not be allowed to read tenants.
    return "tenant" if exists else "tenant (this user may not read it)", UP, ""


def _placement_policy(tenant: Tenant, name: str, section: str) -> Step:
    option = f"[{section}] backup_datera_placement_policy = {name}"
    what = "placement policy"
    try:
        there = tenant.has_placement_policy(name)
    except PermissionRefused as refused:
        return what, UNKNOWN, f"{option}: whether it exists is not known: {refused}"
    except DateraError as error:
        return what, UNWRITABLE, f"{option} cannot be read: {error}"
    if there is None:
        text = f"{option} is not used: this product has no placement policies. Remove the line."
        return what, WARN, text
    if not there:
        text = f"{option}: the cluster has no such policy. Correct the name, or remove the line."
        return what, UNWRITABLE, text
    return what, UP, ""


def _room(tenant: Tenant, backend: DateraBackend) -> Step:
    try:
        system = tenant.system()
    except DateraError as error:
        return "free space", UNKNOWN, f"The free space on {backend.address} is unknown: {error}"
    if not system.total_capacity:
        return "free space (not reported by the cluster)", UP, ""
    free = system.available_capacity
    text = (
        f"The cluster {backend.address} has {free / GIB:.1f} of {system.total_capacity / GIB:.1f}"
        " GiB free. Delete backups or volumes, or add capacity."
    )
    if not free:
        return "free space", UNWRITABLE, text
    if free < NEARLY_FULL * system.total_capacity:
        return "free space", WARN, text
    return "free space", UP, ""


def _initiator() -> Step:
    try:
        this_initiator()
    except AttachFailed as failure:
        # Restores too attach the container's volume.
        return (
            "initiator",
            DOWN,
            f"{str(failure).rstrip('.')} Without one, nothing can be attached.",
        )
    except FailedToDropPrivileges as failure:
        text = (
            "This user may not start os-brick's privileged helper, so whether there is an iSCSI "
            "initiator is not known. Run the command as the user of cinder-backup (sudo -u cinder "
            f"…). ({' '.join(str(failure).split())})"
        )
        return "initiator", UNKNOWN, text
    return "initiator", UP, ""


def try_out(backend: DateraBackend) -> Iterator[Step]:
    """Make a container, write its first blocks through this host, read them back, and delete it.

    Nothing is left, also where a step fails; the text names what is, if that cannot be had.
    """
    name = containers.name_of(uuid4())
    what = "container"
    try:
        with translated(f"Container {name}"), CleanUp(f"Container {name}") as clean_up:
            clean_up.add(f"delete container {name}", lambda: _delete(backend, name))
            backend.tenant.ensure()
            containers.create(
                backend, backend.tenant, name, 1, f"{naming.MARK} of a check that can be deleted"
            )
            with containers.formatted(backend.attachments, name):
                pass
            # Opened again it is read from the cluster, and its checksum and id are verified.
            with containers.opened(backend.attachments, name):
                pass
    except (BackupFailed, DateraError) as failure:
        text = f"A small container could not be created, attached and read: {failure}"
        residue = _residue(failure)
        yield what, UNWRITABLE, f"{text}{residue}"
        return
    yield what, UP, ""


def _delete(backend: DateraBackend, name: str) -> None:
    with suppress(ContainerGone):
        backend.attachments.delete(name)


def _residue(failure: BaseException | None) -> str:
    """What the clean-up says is left, where another error came first."""
    for one in [*chain_of(failure)][1:]:
        if isinstance(one, CleanUpIncomplete):
            return f". {one}"
    return ""
