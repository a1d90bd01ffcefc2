# SPDX-License-Identifier: Apache-2.0
"""Every ``backup-dispatch`` command on the pages can be typed as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from backup_dispatch.command.outcome import DONE, NO, UNUSABLE
from tests.fixtures import mounting
from tests.fixtures.pages import commands_of
from tests.fixtures.pages.outputs import columns, shown_outputs

STAND_FOR = {
    "BACKEND": "shelf",
    "BACKUP": "datera_2",
    "COMMAND": "verify",
    "OLD": "gone",
    "NAME": "nightly",
    "PERCENT": "50",
}

NEEDS_ARGUMENTS = ("verify", "salvage", "show", "adopt", "copy", "prune")
OF_THIS_CLOUD = {"ceph_east": "shelf", "ceph_west": "shelf"}


def test_each_backup_dispatch_command_of_the_pages_is_accepted(
    run: Any, four_backups: dict[str, Any], tmp_path: Path
) -> None:
    datera_2 = four_backups["datera_2"]
    commands = {one.text: one for one in commands_of("backup-dispatch")}
    assert len(commands) >= 10
    outcomes = {}
    (tmp_path / "mnt").mkdir()
    stand_for = {
        **STAND_FOR,
        "FILE": str(tmp_path / "file"),
        "OUTPUT": str(tmp_path / "output"),
        "DIRECTORY": str(tmp_path / "mnt"),
        "VOLUME": datera_2.volume_id,
    }
    for text, one in sorted(commands.items()):
        # The pages' backends have names of their own.
        words = [OF_THIS_CLOUD.get(word, word) for word in one.words(stand_for)]
        left = [word for word in words if re.fullmatch(r"[A-Z][A-Z_]+", word)]
        assert not left, f"{one.page}: say above what {left} stands for"
        if "--listen" in words:
            continue  # it serves until it is ended: test_metrics.py types it
        if words[0] == "mount":
            if mounting.why_not() or len(words) == 1:
                continue
            words.append("--dry-run")
        if words[0] not in NEEDS_ARGUMENTS or len(words) > 1:
            outcomes[text] = run(*words)
    unusable = {text: ended.err for text, ended in outcomes.items() if ended.code == UNUSABLE}
    assert not unusable
    assert outcomes["backup-dispatch check"].code == DONE
    assert outcomes["backup-dispatch orphans"].code in (DONE, NO)
    for command, lines in shown_outputs():
        if wanted := columns(lines):
            # All backups here are of today, and a copy has the name of what it was copied from.
            again = command.partition(" --older-than ")[0]
            again = again.replace("copy datera_2 --to swift", f"copy {datera_2.id} --to posix")
            told = outcomes[command] if again == command else run(*again.split()[1:])
            has = columns(told.out.splitlines())
            assert [one for one in has if one in wanted] == wanted, command
            assert has == wanted or "Field" in "".join(lines), command
