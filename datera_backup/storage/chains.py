# SPDX-License-Identifier: Apache-2.0
"""The containers of one chain, and whether one of them is still needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack

from oslo_log import log as logging

from datera_backup import naming
from datera_backup.container import Container, ContainerError
from datera_backup.errors import ContainerGone, ContainerUnreadable
from datera_backup.native_thread import in_native_thread
from datera_backup.storage import containers
from datera_backup.storage.attachments import Attachments

LOG = logging.getLogger(__name__)


def open_all(
    stack: ExitStack, attachments: Attachments, names: Sequence[str], *, writable: bool = False
) -> tuple[dict[str, Container], dict[str, Exception]]:
    """Open containers but those that are gone, and say of each that cannot be read why not.

    :raises AttachFailed: one could not be attached.
    """
    found: dict[str, Container] = {}
    unreadable: dict[str, Exception] = {}
    for name in names:
        try:
            found[name] = stack.enter_context(
                containers.opened(attachments, name, writable=writable)
            )
        except ContainerGone as gone:
            LOG.debug("%s", gone)
        except (ContainerUnreadable, ContainerError) as failure:
            unreadable[name] = failure
    return found, unreadable


def is_named(name: str, by: Mapping[str, Container]) -> bool:
    """Whether a living backup in another container has blocks in this one, as far as is known."""
    container_id = naming.container_id(name)
    try:
        return any(
            container_id in in_native_thread(container.commit_of, backup_id).containers
            for other, container in by.items()
            if other != name
            for backup_id in container.committed
        )
    except ContainerError as unknown:
        LOG.warning("Container %s is kept: %s", name, unknown)
        return True


def who_needs(attachments: Attachments, name: str) -> Collection[str]:
    """Return the containers of the chain that have, or may have, backups with blocks in this one.

    :raises ContainerGone: it is proven not to be in the tenant.
    """
    others = [each for each in attachments.chain_of(name) if each != name]
    with ExitStack() as stack:
        found, unreadable = open_all(stack, attachments, others)
        needing = {each for each, one in found.items() if is_named(name, {each: one})}
    return needing | unreadable.keys()
