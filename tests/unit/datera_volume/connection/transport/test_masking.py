# SPDX-License-Identifier: Apache-2.0
"""No secret comes through."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from datera_volume.connection import RequestRefused
from datera_volume.connection.transport import masking
from datera_volume.connection.transport.masking import (
    KEYS_REMEMBERED,
    PLACES_REMEMBERED,
    Masker,
    masked_data,
    secrets_in,
)
from datera_volume.connection.transport.session import ClusterSession

SECRETS = {"password": "p1", "key": "k1", "auth": {"target_pswd": "t1", "type": "chap"}}


def test_what_has_a_secrets_name_is_masked_at_any_depth() -> None:
    text = json.dumps(masked_data([SECRETS, {"name": "n"}]))
    assert not [secret for secret in ("p1", "k1", "t1") if secret in text]
    assert "chap" in text
    assert '"n"' in text


def test_the_secrets_of_a_body_are_found_at_any_depth() -> None:
    assert sorted(secrets_in([SECRETS])) == ["k1", "p1", "t1"]


@pytest.mark.parametrize("secret", ["plain", 'quo"te', "per%cent", "spa ce", "Größe"])
def test_a_secret_is_taken_out_of_a_text_however_it_is_written(secret: str) -> None:
    masker = Masker(secret)
    for text in (secret, json.dumps({"echo": secret}), f"?p={secret}"):
        assert secret not in masker.text(text)
        assert json.dumps(secret)[1:-1] not in masker.text(text)


def test_a_longer_secret_is_not_left_in_pieces_by_a_shorter_one() -> None:
    masker = Masker("secret")
    masker.learn("/x", "secret-and-more")
    assert "more" not in masker.text("the secret-and-more")


def test_the_password_is_never_forgotten_however_many_keys_come() -> None:
    masker = Masker("the-password")
    for number in range(KEYS_REMEMBERED * 2):
        masker.learn_key(f"key-number-{number}")
    assert masker.text("the-password key-number-127") == "*** ***"
    assert masker.text("key-number-63") != "***"


@pytest.mark.parametrize("volumes", [70, 4096])
def test_a_key_and_all_chap_secrets_in_use_are_masked_together(volumes: int) -> None:
    masker = Masker()
    masker.learn_key("the-session-key")
    secrets = [uuid.uuid4().hex[:16] for _volume in range(volumes)]
    for number, secret in enumerate(secrets):
        masker.learn(f"/app_instances/{number}/storage_instances/storage-1/auth", secret)
        masker.replaced(f"/app_instances/{number}/storage_instances/storage-1/auth", secret)
    assert masker.text("the-session-key") == "***"
    assert set(masker.text(" ".join(secrets)).split()) == {"***"}


def test_a_chap_secret_is_masked_until_another_was_accepted() -> None:
    masker, place = Masker(), "/app_instances/1/storage_instances/s/auth"
    masker.learn(place, "first-secret")
    masker.replaced(place, "first-secret")
    for refused in ("second-secret", "third-secret"):
        masker.learn(place, refused)
    assert masker.text("first-secret second-secret third-secret") == "*** *** ***"
    masker.replaced(place, "third-secret")
    assert masker.text("first-secret third-secret") == "first-secret ***"


def test_secrets_of_what_is_gone_are_forgotten_before_any_other() -> None:
    masker = Masker()
    for number in range(PLACES_REMEMBERED):
        masker.learn(f"/app_instances/{number}/auth", f"secret-of-{number}.")
    masker.gone("/app_instances/7")
    assert masker.text("secret-of-7.") == "***"
    masker.learn("/app_instances/new/auth", "secret-of-new.")
    assert masker.text("secret-of-new. secret-of-0. secret-of-70.") == "*** *** ***"
    assert masker.text("secret-of-7.") == "secret-of-7."


def test_an_answer_that_repeats_the_key_is_masked_after_many_volumes_with_chap(
    make_session: Callable[..., ClusterSession], scripted: Any
) -> None:
    session = make_session()
    auth = "/app_instances/{}/storage_instances/storage-1/auth"
    for number in range(70):
        session.request(
            "PUT", auth.format(number), body={"target_pswd": f"chap-secret-{number:04}"}
        )
    scripted.script = lambda seen: (
        400,
        {"message": f"{seen.headers} {' '.join(f'chap-secret-{n:04}' for n in range(70))}"},
    )
    with pytest.raises(RequestRefused) as told:
        session.request("GET", "/x")
    assert "session-key-1" not in str(told.value)
    assert "chap-secret" not in str(told.value)


def test_the_secret_of_a_volume_that_was_deleted_is_the_first_to_forget(
    make_session: Callable[..., ClusterSession], scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "PLACES_REMEMBERED", 4)
    session = make_session()
    auth = "/app_instances/{}/storage_instances/s/auth"
    for number in range(3):  # beside the place of the login
        session.request("PUT", auth.format(number), body={"target_pswd": f"secret-of-{number}."})
        if number == 1:
            session.request("DELETE", f"/app_instances/{number}")
    session.request("PUT", auth.format("new"), body={"target_pswd": "secret-of-new."})
    scripted.script = lambda _seen: (400, {"message": "secret-of-0. secret-of-1. secret-of-new."})
    with pytest.raises(RequestRefused, match=r"\*\*\* secret-of-1\. \*\*\*"):
        session.request("GET", "/x")


def test_a_body_is_masked_by_name_although_the_secret_was_never_learned() -> None:
    assert Masker().body(SECRETS) == (
        '{"auth": {"target_pswd": "***", "type": "chap"}, "key": "***", "password": "***"}'
    )


def test_a_long_body_is_cut() -> None:
    text = Masker().body({"descr": "x" * 9000})
    assert len(text) < 4200
    assert "characters" in text


def test_a_long_list_is_cut_with_no_part_of_a_secret_at_its_end() -> None:
    masker = Masker("battery-staple")
    for before in range(80):
        text = masker.body({"descr": "x" * before + "battery-staple" * 20}, most=64)
        assert "batt" not in text
