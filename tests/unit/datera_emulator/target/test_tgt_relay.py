# SPDX-License-Identifier: Apache-2.0
"""The relay before tgtd: LUNs, and who is logged in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from datera_emulator.target.tgt_relay import (
    ConnectionEnded,
    LoginWish,
    to_host,
    to_target,
    wish_in,
)

LOGIN = b"InitiatorName=iqn.a:host\0SessionType=Normal\0TargetName=iqn.b:disk\0"
Pair = tuple[socket.socket, socket.socket]


def pdu(opcode: int, data: bytes = b"", *, flags: int = 0, lun: int = 0, status: int = 0) -> bytes:
    header = bytearray(48)
    header[0], header[1], header[9], header[36] = opcode, flags, lun, status
    header[5:8] = len(data).to_bytes(3, "big")
    return bytes(header) + data + bytes(-len(data) % 4)


@pytest.fixture
def pairs() -> Iterator[tuple[Pair, Pair]]:
    first, second = socket.socketpair(), socket.socketpair()
    yield first, second
    for one in (*first, *second):
        one.close()


def relayed(pairs: tuple[Pair, Pair], sent: bytes, relay: Callable[..., None]) -> bytes:
    """What comes out at the far end of a relay, until the sender closes."""
    (sender, source), (sink, receiver) = pairs

    def run() -> None:
        with pytest.raises(ConnectionEnded):
            relay(source, sink)
        sink.close()

    thread = threading.Thread(target=run)
    thread.start()
    sender.sendall(sent)
    sender.close()
    got = b""
    while piece := receiver.recv(65536):
        got += piece
    thread.join()
    return got


def test_a_login_names_who_and_what() -> None:
    assert wish_in(LOGIN) == LoginWish("iqn.a:host", "iqn.b:disk")
    assert wish_in(b"InitiatorName=iqn.a:host\0SessionType=Discovery\0") is None


@pytest.mark.parametrize("opcode", [0x01, 0x41, 0x02, 0x05])
def test_the_first_volume_is_the_targets_lun_1(pairs: tuple[Pair, Pair], opcode: int) -> None:
    data = b"written" if opcode == 0x05 else b""
    got = relayed(pairs, pdu(opcode, data), lambda a, b: to_target(a, b, lambda _: True))
    assert got == pdu(opcode, data, lun=1)


@pytest.mark.parametrize("opcode", [0x25, 0x31])
def test_the_targets_lun_1_is_the_first_volume(pairs: tuple[Pair, Pair], opcode: int) -> None:
    sent = pdu(opcode, b"read", lun=1) + pdu(0x21)
    got = relayed(pairs, sent, lambda a, b: to_host(a, b, lambda: None))
    assert got == pdu(opcode, b"read") + pdu(0x21)


def test_who_is_not_admitted_reaches_no_target(pairs: tuple[Pair, Pair]) -> None:
    (sender, source), (sink, receiver) = pairs
    asked: list[LoginWish] = []

    def refuse(wish: LoginWish) -> bool:
        asked.append(wish)
        return False

    sender.sendall(pdu(0x43, LOGIN))
    to_target(source, sink, refuse)
    sink.close()
    assert receiver.recv(1) == b""
    assert asked == [LoginWish("iqn.a:host", "iqn.b:disk")]


def test_only_a_login_that_the_target_grants_counts(pairs: tuple[Pair, Pair]) -> None:
    logins: list[bool] = []
    refused = pdu(0x23, flags=0x87, status=2)
    not_yet = pdu(0x23, b"AuthMethod=CHAP\0", flags=0x81)
    granted = pdu(0x23, flags=0x87)
    sent = refused + not_yet + granted
    got = relayed(pairs, sent, lambda a, b: to_host(a, b, lambda: logins.append(True)))
    assert got == sent
    assert logins == [True]
