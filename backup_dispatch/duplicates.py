# SPDX-License-Identifier: Apache-2.0
"""Two records of the same data.

A record may be imported beside the one that it was exported from, under an id of its own. Cinder's
chunked drivers find the data by ``container`` and ``service_metadata``, which both records have.
"""

from __future__ import annotations

from typing import Any

from cinder import objects
from cinder.objects import fields

from backup_dispatch.drivers.custody import is_chunked


def other_record(driver: Any, backup: Any) -> Any | None:
    """Another record of this cloud, not being deleted, that names the data which this one names.

    Whose it is does not count: two backends may reach one store, and what stays behind is better
    than what another record misses.

    :param driver: the owner's; of others than Cinder's chunked ones nothing is known.
    """
    if not is_chunked(driver) or not backup.service_metadata:
        return None
    where = {"container": backup.container, "service_metadata": backup.service_metadata}
    for one in objects.BackupList.get_all(backup._context.elevated(), filters=where):
        if one.id != backup.id and one.status != fields.BackupStatus.DELETING:
            return one
    return None
