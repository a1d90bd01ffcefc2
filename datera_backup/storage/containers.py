# SPDX-License-Identifier: Apache-2.0
"""Containers on the cluster, opened as what they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from oslo_log import log as logging

from datera_backup import naming
from datera_backup.container import (
    LOG_START,
    Container,
    ContainerError,
    DeviceTooShort,
    FileDevice,
    LayoutDamaged,
    NotAContainer,
)
from datera_backup.errors import AttachFailed, ContainerUnreadable, NotOurs
from datera_backup.native_thread import in_native_thread
from datera_backup.storage.attachments import Attachments
from datera_backup.storage.backend import DateraBackend
from datera_volume.connection import AlreadyOnCluster, NewAppInstance, Tenant

LOG = logging.getLogger(__name__)


@contextmanager
def opened(attachments: Attachments, name: str, *, writable: bool = False) -> Iterator[Container]:
    """Attach a container and open it while the block runs.

    :raises ContainerGone: it is proven not to be in its tenant.
    :raises ContainerAbsenceUnproven: it is unknown whether it was deleted.
    :raises NotOurs: an app instance of that name is there, which this driver did not make.
    :raises AttachFailed: it could not be attached, or what was attached is no container's size.
    :raises DeviceTooShort: its device ends before its log does.
    :raises ContainerUnreadable: it was never formatted, or nothing can be found in it any more.
    :raises WrongContainer: it holds another one than its name says.
    """
    with attachments.opened(name, writable=writable) as descriptor:
        yield _open(descriptor, name)


def _open(descriptor: int, name: str) -> Container:
    device, expected = FileDevice(descriptor), naming.container_id(name)
    if device.size < LOG_START:
        raise AttachFailed(f"The device of container {name} has only {device.size} bytes")
    try:
        return in_native_thread(Container.open, device, expected)
    except DeviceTooShort:
        raise  # the superblock is there: it is the device that is not what it should be
    except (NotAContainer, LayoutDamaged) as damage:
        raise ContainerUnreadable(f"Container {name} cannot be read: {damage}") from damage


@contextmanager
def formatted(attachments: Attachments, name: str) -> Iterator[Container]:
    """Attach a container that was just made, and make it an empty one, while the block runs."""
    with attachments.opened(name, writable=True) as descriptor:
        yield in_native_thread(Container.format, FileDevice(descriptor), naming.container_id(name))


def repaired(container: Container) -> None:
    """Repair metadata that was found damaged, from its copy; a failure is logged."""
    try:
        in_native_thread(container.repair)
    except (ContainerError, OSError) as failure:
        LOG.warning("Container %s is not repaired: %s", container.id, failure)


def create(backend: DateraBackend, tenant: Tenant, name: str, gib: int, description: str) -> None:
    """Make the app instance of a new container, in a tenant that is there.

    :raises NotOurs: there is an app instance of that name already; it is left alone.
    """
    try:
        tenant.create_app_instance(
            NewAppInstance(
                name=name,
                size_gib=gib,
                replica_count=backend.settings.replica_count,
                placement_mode=backend.settings.placement_mode,
                placement_policy=backend.settings.placement_policy,
                descr=description,
            )
        )
    except AlreadyOnCluster as taken:
        raise NotOurs(
            f"An app instance {name} is already in tenant {tenant.path} of "
            f"{backend.address}; it is not touched"
        ) from taken


def name_of(container_id: UUID) -> str:
    """The app instance that a container of this id lies on."""
    return naming.container_name(str(container_id))
