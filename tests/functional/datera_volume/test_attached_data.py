# SPDX-License-Identifier: Apache-2.0
"""Reading and writing through an attachment, by the target's own rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator.target import brick

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]
ONE, TWO = "iqn.1994-05.com.redhat:one", "iqn.1994-05.com.redhat:two"

CHAP = "use_chap_auth = True\nchap_username = cinder\nchap_password = chap-secret-15c\n"


@pytest.fixture
def this_host() -> Iterator[str]:
    """This process can attach volumes; its initiator's name."""
    yield brick.install()
    brick.uninstall()


@pytest.mark.parametrize("lines", ["", CHAP])
@pytest.mark.parametrize("multipath", [False, True])
def test_what_is_written_through_an_attachment_is_read_through_the_next(
    start_datera: StartDatera, this_host: str, lines: str, multipath: bool
) -> None:
    from os_brick.initiator import connector as os_brick_connector

    service = start_datera(lines)
    volume = service.create_volume(1)
    driver = service.volume_manager.driver
    host = {"initiator": this_host, "host": "here", "multipath": multipath}
    contents = b"kept" * 1024
    for mode in ("write", "read"):
        connection = driver.initialize_connection(volume, host)
        os_brick = os_brick_connector.InitiatorConnector.factory(
            "ISCSI", "", use_multipath=multipath
        )
        device = os_brick.connect_volume(connection["data"])
        with open(device["path"], "r+b") as file:
            if mode == "write":
                file.write(contents)
            else:
                assert file.read(len(contents)) == contents
        os_brick.disconnect_volume(connection["data"], device)
        driver.terminate_connection(volume, host)


def test_a_target_refuses_an_initiator_outside_its_acl(
    start_datera: StartDatera, this_host: str, hosts: Any
) -> None:
    from os_brick import exception as brick_exception
    from os_brick.initiator import connector as os_brick_connector

    service = start_datera()
    volume = service.create_volume(1)
    connection = service.volume_manager.driver.initialize_connection(
        volume, hosts.connector("somebody-else")
    )
    os_brick = os_brick_connector.InitiatorConnector.factory("ISCSI", "")
    with pytest.raises(brick_exception.BrickException):
        os_brick.connect_volume(connection["data"])
