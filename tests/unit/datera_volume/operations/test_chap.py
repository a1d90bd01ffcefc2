# SPDX-License-Identifier: Apache-2.0
"""Logins that are derived, and what they do and do not tell."""

from __future__ import annotations

import re

import pytest

from datera_volume.connection import AppInstance, StorageInstance
from datera_volume.operations.chap import Chap, Credentials, SecretUnknown, terms_of

CHAP = Chap(Credentials("cinder", "chap-secret-15c"))
OTHER = Chap(Credentials("cinder", "another-secret"))
IN_USE = ("iqn.1994-05.com.redhat:one",)


def instance(ai_id: str = "1", **storage: object) -> AppInstance:
    """A volume of this id; keywords are its storage instance's."""
    usual: dict[str, object] = {"name": "storage-1", "path": "/s", "op_state": "available"}
    target = StorageInstance(**{**usual, **storage})  # type: ignore[arg-type]
    return AppInstance(
        id=ai_id, name=f"OS-{ai_id}", path="/a", tenant="/root", storage_instances=(target,)
    )


def test_each_volume_has_its_own_login_and_always_the_same() -> None:
    logins = [CHAP.of(instance(str(number))) for number in range(200)]
    assert len({login.secret for login in logins}) == len({one.username for one in logins}) == 200
    assert CHAP.of(instance("7")) == logins[7]
    assert CHAP.of(instance("7")).secret != OTHER.of(instance("7")).secret
    assert CHAP.of(instance("7")).username != OTHER.of(instance("7")).username


def test_a_login_is_one_that_clusters_and_initiators_take() -> None:
    """Sixteen of 64 characters, 96 bits; the user as the array's schema has it."""
    alphabet = set()
    for number in range(200):
        login = Chap(Credentials("c" * 64, "chap-secret-15c")).of(instance(str(number)))
        assert re.fullmatch(r"[A-Za-z0-9._]{16}", login.secret)
        assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_\-.]{2,63}", login.username)
        alphabet |= set(login.secret)
    assert len(alphabet) == 64


def test_nothing_of_the_configured_secret_is_in_the_repr() -> None:
    told = repr((CHAP, CHAP.of(instance())))
    assert "chap-secret-15c" not in told
    assert CHAP.of(instance()).secret not in told


def test_a_volume_that_nobody_uses_gets_what_the_section_says() -> None:
    own = CHAP.of(instance())
    assert terms_of(instance(), CHAP).credentials == own
    assert terms_of(instance(auth_type="chap", auth_user="cinder"), CHAP).credentials == own
    common = Chap(CHAP.common, per_volume=False)
    assert terms_of(instance(auth_type="chap", auth_user=own.username), common).credentials == (
        common.common
    )
    off = Chap(CHAP.common, asked=False)
    assert (terms_of(instance(), None).to_set, terms_of(instance(), off).to_set) == (False, False)
    assert terms_of(instance(auth_type="chap", auth_user="x"), off).to_set


@pytest.mark.parametrize("per_volume", [True, False])
@pytest.mark.parametrize("asked", [True, False])
def test_a_volume_in_use_keeps_what_it_has(per_volume: bool, asked: bool) -> None:
    chap = Chap(CHAP.common, per_volume=per_volume, asked=asked)
    for login in (chap.common, chap.of(instance())):
        used = instance(auth_type="chap", auth_user=login.username, initiators=IN_USE)
        terms = terms_of(used, chap)
        assert (terms.credentials, terms.to_set) == (login, False)
    terms = terms_of(instance(initiators=IN_USE), chap)
    assert (terms.credentials, terms.to_set) == (None, False)


@pytest.mark.parametrize("chap", [OTHER, None])
def test_a_secret_that_cannot_be_known_is_not_guessed(chap: Chap | None) -> None:
    user = CHAP.of(instance()).username
    used = instance(auth_type="chap", auth_user=user, initiator_groups=("/initiator_groups/g",))
    with pytest.raises(SecretUnknown, match=f"{user}.*chap_password"):
        terms_of(used, chap)


def test_a_volume_open_to_all_has_the_login_that_others_know() -> None:
    opened = instance(access_control_mode="allow_all")
    assert terms_of(opened, CHAP).credentials == CHAP.common
    assert terms_of(opened, CHAP).to_set
    used = instance(access_control_mode="allow_all", auth_type="chap", auth_user="cinder")
    assert terms_of(used, CHAP) == terms_of(used, Chap(CHAP.common, per_volume=False))
    assert not terms_of(used, CHAP).to_set
    copied = instance(access_control_mode="allow_all", auth_type="chap", auth_user="cinder-tag")
    assert (terms_of(copied, CHAP).credentials, terms_of(copied, CHAP).to_set) == (
        CHAP.common,
        True,
    )
    assert (terms_of(copied, None).credentials, terms_of(copied, None).to_set) == (None, True)
