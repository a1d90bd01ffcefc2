# SPDX-License-Identifier: Apache-2.0
"""Whom a key manager sees when a backup's key is cloned."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cinder import objects
from oslo_config import cfg

# The rest of Cinder can be imported only after its objects have been registered.
objects.register_all()
from castellan.common.credentials.keystone_password import KeystonePassword  # noqa: E402

from backup_dispatch.errors import CopyFailed  # noqa: E402
from backup_dispatch.jobs.copying import keys  # noqa: E402

LOGIN = """\
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1/identity
username = cinder
password = secret
user_domain_name = Default
project_name = service
project_domain_name = Default
"""


class Recorded:
    """A key manager that records who came."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def get(self, reader: Any, _key: str) -> str:
        self.seen.append(reader)
        return "key"

    def store(self, reader: Any, _key: str) -> str:
        self.seen.append(reader)
        return "clone"


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(f"{keys.__name__}.key_manager.API", lambda _conf: recorded)
    return recorded


def configured(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    path = folder / "cinder.conf"
    path.write_text(text)
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(path)])
    monkeypatch.setattr(keys, "CONF", conf)


SOURCE = SimpleNamespace(id="b1", encryption_key_id="k1", project_id="mine")


def test_cinders_user_reads_in_the_sources_project_and_stores_in_the_copys(
    manager: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured(monkeypatch, tmp_path, LOGIN)
    assert keys.clone_key(SOURCE, object(), "theirs") == "clone"
    assert [type(one) for one in manager.seen] == [KeystonePassword] * 2
    assert [one.project_id for one in manager.seen] == ["mine", "theirs"]
    assert {(one.username, one.password) for one in manager.seen} == {("cinder", "secret")}


def test_without_a_login_the_context_is_shown(
    manager: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured(monkeypatch, tmp_path, "")
    context = object()
    assert keys.clone_key(SOURCE, context, "mine") == "clone"
    assert manager.seen == [context, context]


def test_a_refusal_names_the_project_and_the_role(
    manager: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured(monkeypatch, tmp_path, LOGIN)

    def refuse(*_arguments: Any) -> None:
        raise PermissionError("no role")

    monkeypatch.setattr(manager, "get", refuse)
    with pytest.raises(CopyFailed) as refused:
        keys.clone_key(SOURCE, object(), "theirs")
    assert "must have a role in project mine and in theirs" in refused.value.full_text
    assert "secret" not in refused.value.full_text.replace("secrets", "")


def test_what_is_not_encrypted_has_no_key(manager: Recorded) -> None:
    plain = SimpleNamespace(id="b2", encryption_key_id=None, project_id="mine")
    assert keys.clone_key(plain, object(), "mine") is None
    assert manager.seen == []
