# SPDX-License-Identifier: Apache-2.0
"""The contract for backends, for authors of backends: ``docs/writing-a-backend.md``.

It needs the extra ``testing`` of the distribution, and Cinder. Importing it registers Cinder's
objects, as each of its services does at its start.
"""

from __future__ import annotations

from cinder import objects

# Most of Cinder can be imported only after that.
objects.register_all()

from backup_dispatch.testing.cloud import Cloud, DriverAlone  # noqa: E402
from backup_dispatch.testing.contract import BackendContract  # noqa: E402
from backup_dispatch.testing.device import Device  # noqa: E402
from backup_dispatch.testing.signatures import disagreements, offered_by  # noqa: E402

__all__ = [
    "BackendContract",
    "Cloud",
    "Device",
    "DriverAlone",
    "disagreements",
    "offered_by",
]
