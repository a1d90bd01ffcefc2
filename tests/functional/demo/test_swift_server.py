# SPDX-License-Identifier: Apache-2.0
"""The demo's Swift is a real one: it stores, lists, returns and forgets objects."""

import os
from collections.abc import Iterator

import pytest
import swiftclient

from demo.servers.swift_server import SwiftServer

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftServer]:
    # A clone, or a user's temporary directory, may have such a name.
    with SwiftServer(tmp_path_factory.mktemp("a place") / "100% swift") as server:
        yield server


def connect(swift: SwiftServer, key: str) -> swiftclient.Connection:
    return swiftclient.Connection(authurl=swift.auth_url, user=swift.user, key=key, retries=0)


def test_an_object_comes_back_as_it_was(swift: SwiftServer) -> None:
    connection = connect(swift, swift.key)
    content = os.urandom(3 << 20)

    connection.put_container("backups")
    connection.put_object("backups", "a/b", content)

    assert connection.get_object("backups", "a/b")[1] == content
    assert [entry["name"] for entry in connection.get_container("backups")[1]] == ["a/b"]
    assert connection.get_auth()[0] == swift.storage_url

    connection.delete_object("backups", "a/b")
    assert connection.get_container("backups")[1] == []


def test_objects_are_there_after_a_restart(swift: SwiftServer) -> None:
    connect(swift, swift.key).put_container("kept")
    connect(swift, swift.key).put_object("kept", "a", b"content")

    swift.stop()
    swift.start()

    assert connect(swift, swift.key).get_object("kept", "a")[1] == b"content"


def test_a_wrong_key_is_refused(swift: SwiftServer) -> None:
    with pytest.raises(swiftclient.ClientException) as caught:
        connect(swift, "wrong").get_account()

    assert caught.value.http_status == 401
