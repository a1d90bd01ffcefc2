# SPDX-License-Identifier: Apache-2.0
"""Every answer means one error, whatever its body is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datera_volume import connection
from datera_volume.connection.transport.masking import Masker
from datera_volume.connection.transport.responses import SESSION_ENDED, HttpResponse, error_of


def answer(status: int, body: Any) -> HttpResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse.of(status, "Reason", content)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"message": "m"}, connection.RequestRefused),
        (401, {"message": "m"}, connection.PermissionRefused),
        (403, {"message": "m"}, connection.RequestRefused),
        (403, {"name": "PermissionDeniedError"}, connection.PermissionRefused),
        (404, {"message": "m"}, connection.NotOnCluster),
        (405, {"message": "m"}, connection.RequestRefused),
        (409, {"message": "m"}, connection.AlreadyOnCluster),
        (422, {"message": "m"}, connection.RequestInvalid),
        (429, {"message": "m"}, connection.ClusterBusy),
        (500, {"message": "m"}, connection.ClusterFault),
        (500, {"message": "The REST server is still initializing"}, connection.ClusterBusy),
        (500, ["a", "list"], connection.ClusterFault),
        (500, "a text", connection.ClusterFault),
        (502, b"<html>Bad Gateway</html>", connection.OutcomeUnknown),
        (503, b"", connection.ClusterBusy),
        (503, {"message": "m"}, connection.ClusterBusy),
        (504, b"", connection.OutcomeUnknown),
        (301, b"", connection.UnexpectedAnswer),
        (418, {"message": "m"}, connection.UnexpectedAnswer),
    ],
)
def test_each_status_has_its_error(status: int, body: Any, kind: type[Exception]) -> None:
    one = answer(status, body)
    error = error_of(one, "GET /x at array:7718", one.error_message(Masker()))
    assert type(error) is kind
    assert str(error).startswith(f"GET /x at array:7718: {status}")


def test_the_clusters_own_number_and_its_details_are_kept() -> None:
    one = answer(400, {"message": "m", "code": 15, "errors": [{"message": "size too big"}]})
    error = error_of(one, "POST /x", one.error_message(Masker()))
    assert isinstance(error, connection.RequestRefused)
    assert error.code == 15
    assert "size too big" in str(error)


def test_only_the_exact_text_or_name_means_that_the_session_ended() -> None:
    assert answer(401, {"message": SESSION_ENDED}).session_ended
    assert answer(401, {"name": "InvalidSessionKeyError"}).session_ended
    assert not answer(401, {"message": "You may not do this."}).session_ended
    assert not answer(401, {"message": SESSION_ENDED + " "}).session_ended
    assert not answer(400, {"message": SESSION_ENDED}).session_ended


def test_of_a_page_of_html_only_the_beginning_is_told() -> None:
    assert len(answer(502, b"<p>" + b"x" * 10_000).error_message(Masker())) <= 200


@pytest.mark.parametrize("text", ["x" * 190 + " {} tail", "<p>{}</p>"])
@pytest.mark.parametrize("secret", ["a-long-enough-password", "two  blanks", "a\nline"])
def test_a_secret_is_masked_before_a_page_is_cut_and_folded(text: str, secret: str) -> None:
    told = answer(502, text.format(secret).encode()).error_message(Masker(secret))
    assert told in (text.format("***"), text.format("***")[:200])


@pytest.mark.parametrize("secret", ["plain-enough", "quo\"te's", "back\\slash"])
@pytest.mark.parametrize("kind", ["text", "message", "other"])
def test_a_secret_in_the_details_is_masked(secret: str, kind: str) -> None:
    error: Any = {"text": secret, "message": {"message": secret}, "other": {"value": secret}}[kind]
    told = answer(400, {"message": "m", "errors": [error]}).error_message(Masker(secret))
    assert "***" in told
    assert secret not in told
    assert repr(secret)[1:-1] not in told
