# SPDX-License-Identifier: Apache-2.0
"""Cinder's message bus, for commands beside the services.

The demo's Cinder is one process with oslo.messaging's bus in memory (``fake://``), because a real
one, such as RabbitMQ, cannot be installed by pip. A command that asks a service is another process:
each message that it sends becomes a file in a private folder, and the services' process puts it on
its own bus. Only messages without a reply pass, such as the request to delete a backup.
"""

import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = "messages"
SECONDS = 0.1

_numbers = itertools.count()


class NoReply(Exception):
    """A message that awaits a reply cannot be sent."""


def send_from_here() -> None:
    """Let the in-memory bus of this process send to the services' process.

    Both find the folder by Cinder's ``state_path``.
    """
    from oslo_messaging._drivers import impl_fake

    def send(
        driver: Any, target: Any, ctxt: Any, message: Any, wait_for_reply: Any = None, **_: Any
    ) -> None:
        if wait_for_reply:
            raise NoReply(f"the demo's message bus brings no reply to {message.get('method')}")
        envelope = {
            "exchange": target.exchange or driver._default_exchange,
            "topic": target.topic,
            "server": target.server,
            "fanout": bool(target.fanout),
            "ctxt": ctxt,
            "message": message,
        }
        post(Path(driver.conf.state_path) / FOLDER, envelope)

    driver: Any = impl_fake.FakeDriver
    driver.send = send


def post(folder: Path, envelope: dict[str, Any]) -> None:
    """Leave a message in the folder, as a whole."""
    folder.mkdir(mode=0o700, exist_ok=True)
    name = f"{time.time_ns():020}-{os.getpid()}-{next(_numbers)}"
    written = folder / name
    written.touch(mode=0o600)
    written.write_text(json.dumps(envelope))
    written.rename(folder / f"{name}.json")


def collect(folder: Path, put: Callable[[dict[str, Any]], None]) -> int:
    """Take the messages out of the folder, the oldest first; return how many there were."""
    found = sorted(folder.glob("*.json"))
    for path in found:
        envelope = json.loads(path.read_text())
        path.unlink()
        put(envelope)
    return len(found)


def put_on_bus(envelope: dict[str, Any]) -> None:
    """Put a message on the in-memory bus of this process."""
    from oslo_messaging._drivers import impl_fake

    exchange = impl_fake.FakeExchangeManager(None).get_exchange(envelope["exchange"])
    exchange.deliver_message(
        envelope["topic"],
        envelope["ctxt"],
        envelope["message"],
        server=envelope["server"],
        fanout=envelope["fanout"],
    )


def serve(state_path: Path, sleep: Callable[[float], None]) -> None:
    """Collect messages for ever."""
    while True:
        collect(state_path / FOLDER, put_on_bus)
        sleep(SECONDS)
