# SPDX-License-Identifier: Apache-2.0
"""What a host is told that cannot say who it is."""

from __future__ import annotations

import errno

import pytest
from cinder import objects

# The rest of Cinder can be imported only after its objects have been registered.
objects.register_all()
from cinder.volume import volume_utils  # noqa: E402

from datera_backup import host  # noqa: E402
from datera_backup.errors import AttachFailed  # noqa: E402

DENIED = PermissionError(errno.EACCES, "Permission denied", "dmidecode")


@pytest.mark.parametrize(
    ("barred", "told"),
    [
        ([], r"'dmidecode'$"),
        (["/root/bin"], r"'dmidecode'; take out of PATH what this user may not enter: /root/bin$"),
    ],
)
def test_command_that_os_brick_may_not_run_is_named_with_the_remedy(
    barred: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_arguments: object, **_named: object) -> None:
        raise DENIED

    monkeypatch.setattr(volume_utils, "brick_get_connector_properties", denied)
    monkeypatch.setattr(host, "not_enterable", lambda _path: barred)

    with pytest.raises(AttachFailed, match=told):
        host.this_initiator()
