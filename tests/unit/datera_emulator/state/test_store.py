# SPDX-License-Identifier: Apache-2.0
"""The store writes all changes or none, and keeps its files private."""

from __future__ import annotations

from pathlib import Path

import pytest

from datera_emulator.state.store import Store


def test_only_the_owner_reads_what_has_secrets(tmp_path: Path) -> None:
    Store(tmp_path / "db").write([(("kind", "a"), {})])
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("db*")} == {0o600}


def test_a_write_is_all_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    store.write([(("kind", "a"), {"n": 1})])
    with pytest.raises(TypeError):
        store.write([(("kind", "a"), None), (("kind", "b"), {"n": object()})])
    assert dict(store.read("kind")) == {"a": {"n": 1}}
    store.write([(("kind", "a"), {"n": 2}), (("other", "a"), {})])
    assert dict(store.read("kind")) == {"a": {"n": 2}}
    store.write([(("kind", "a"), None)])
    assert dict(store.read("kind")) == {}
