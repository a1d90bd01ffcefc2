# SPDX-License-Identifier: Apache-2.0
"""No secret comes through."""

from __future__ import annotations

import json

import pytest

from datera_volume.connection.masking import REMEMBERED, Masker, masked_data, secrets_in

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
    masker.learn("secret-and-more")
    assert "more" not in masker.text("the secret-and-more")


def test_the_password_is_never_forgotten_however_many_keys_come() -> None:
    masker = Masker("the-password")
    for number in range(REMEMBERED * 2):
        masker.learn(f"key-number-{number}")
    assert masker.text("the-password key-number-127") == "*** ***"


def test_a_body_is_masked_by_name_although_the_secret_was_never_learned() -> None:
    assert Masker().body(SECRETS) == (
        '{"auth": {"target_pswd": "***", "type": "chap"}, "key": "***", "password": "***"}'
    )


def test_a_long_body_is_cut() -> None:
    text = Masker().body({"descr": "x" * 9000})
    assert len(text) < 4200
    assert "characters" in text
