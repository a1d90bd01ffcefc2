# SPDX-License-Identifier: Apache-2.0
"""An error of what lies below a command says what its user can do."""

from __future__ import annotations

from oslo_privsep.daemon import FailedToDropPrivileges

from backup_dispatch.command.base import _told
from backup_dispatch.command.outcome import NO


def test_missing_privileges_name_the_user_to_run_as() -> None:
    text, code = _told(FailedToDropPrivileges("privsep helper command exited non-zero (1)"))
    assert code == NO
    assert "sudo -u cinder" in text
    assert "cinder-rootwrap" in text
    assert text.endswith("(privsep helper command exited non-zero (1))")
