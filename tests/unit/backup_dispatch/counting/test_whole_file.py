# SPDX-License-Identifier: Apache-2.0
"""A file is replaced as a whole, and nothing else is written on the way."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from backup_dispatch.counting.whole_file import write_text


def test_link_where_the_new_text_is_prepared_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    trap = tmp_path / f".report.html.{os.getpid()}.{threading.get_ident()}"
    trap.symlink_to(victim)
    write_text(tmp_path / "report.html", "new")
    assert (tmp_path / "report.html").read_text() == "new"
    assert not (tmp_path / "report.html").is_symlink()
    assert victim.read_text() == "precious"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report.html", "victim"]
