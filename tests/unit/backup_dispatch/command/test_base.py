# SPDX-License-Identifier: Apache-2.0
"""What all commands have in common: errors that say what to do, and no work for nothing."""

from __future__ import annotations

import cliff.command
import pytest
from oslo_privsep.daemon import FailedToDropPrivileges

from backup_dispatch.command.outcome import NO


def test_missing_privileges_name_the_user_to_run_as(cinder_imported: None) -> None:
    from backup_dispatch.command.base import _told

    text, code = _told(FailedToDropPrivileges("privsep helper command exited non-zero (1)"))
    assert code == NO
    assert "sudo -u cinder" in text
    assert "cinder-rootwrap" in text
    assert text.endswith("(privsep helper command exited non-zero (1))")


def test_command_does_not_read_what_files_all_packages_have(
    monkeypatch: pytest.MonkeyPatch, cinder_imported: None
) -> None:
    from backup_dispatch.command.app import CommandApp
    from backup_dispatch.command.table import COMMANDS

    def read(_module: object) -> str:
        raise AssertionError("cliff looks for the package that brings a command")

    monkeypatch.setattr(cliff.command, "_get_distribution_for_module", read)
    app = CommandApp(COMMANDS)
    for name, command in COMMANDS.items():
        command(app, None, cmd_name=name).get_parser(name)
