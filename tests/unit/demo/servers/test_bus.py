# SPDX-License-Identifier: Apache-2.0
"""Messages of a command reach the services of another process."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from demo.servers import bus


def collected(folder: Path) -> list[Any]:
    found: list[Any] = []
    bus.collect(folder, found.append)
    return found


def test_messages_arrive_once_and_in_their_order(tmp_path: Path) -> None:
    folder = tmp_path / bus.FOLDER
    assert collected(folder) == []
    for number in range(12):
        bus.post(folder, {"number": number})
    assert collected(folder) == [{"number": number} for number in range(12)]
    assert collected(folder) == []


def test_messages_are_private(tmp_path: Path) -> None:
    folder = tmp_path / bus.FOLDER
    bus.post(folder, {})
    (message,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, message.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_message_that_is_being_written_is_not_taken(tmp_path: Path) -> None:
    folder = tmp_path / bus.FOLDER
    bus.post(folder, {"whole": True})
    (folder / "00000000000000000001-1-1").write_text('{"who')
    assert collected(folder) == [{"whole": True}]


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The in-memory bus of a command's process."""
    impl_fake = pytest.importorskip("oslo_messaging._drivers.impl_fake")
    monkeypatch.setattr(impl_fake.FakeDriver, "send", impl_fake.FakeDriver.send)
    bus.send_from_here()
    conf = SimpleNamespace(state_path=str(tmp_path))
    return impl_fake.FakeDriver(conf, "fake://", default_exchange="openstack")


def test_a_request_reaches_the_host_it_is_for(driver: Any, tmp_path: Path) -> None:
    from oslo_messaging import Target
    from oslo_messaging._drivers import impl_fake

    target = Target(topic="cinder-backup", server="demo")
    driver.send(target, {"user": "one"}, {"method": "delete_backup"}, retry=None)
    (envelope,) = collected(tmp_path / bus.FOLDER)
    bus.put_on_bus(envelope)

    exchange = impl_fake.FakeExchangeManager(None).get_exchange("openstack")
    assert exchange.poll(Target(topic="cinder-backup", server="other"), None)[1] is None
    context, message, reply, _ = exchange.poll(target, None)
    assert (context, message, reply) == ({"user": "one"}, {"method": "delete_backup"}, None)
    assert exchange.poll(target, None)[1] is None


def test_a_request_that_awaits_a_reply_is_refused(driver: Any, tmp_path: Path) -> None:
    from oslo_messaging import Target

    with pytest.raises(bus.NoReply, match="get_backup_device"):
        driver.send(Target(topic="t"), {}, {"method": "get_backup_device"}, wait_for_reply=True)
    assert collected(tmp_path / bus.FOLDER) == []
