# SPDX-License-Identifier: Apache-2.0
"""The relay between hosts and tgtd: it tracks the sessions, and numbers LUNs from 0.

A host's connection is passed on to tgtd, PDU by PDU (RFC 7143). tgtd checks the ACL and CHAP; here
the first login request is read for initiator and target, and LUN 0 becomes tgtd's LUN 1, because
tgtd keeps its own LUN 0 for a controller. Header digests would cover what is changed here: hosts
must not require them (the usual initiators offer none as well).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

_HEADER = 48
_LUN = 9
_LOGIN_REQUEST, _LOGIN_RESPONSE = 0x03, 0x23
_OPCODE = 0x3F
_TO_FULL_FEATURE = 0x83
_STATUS_CLASS = 36
# SCSI command, task management, data out; data in, ready to transfer.
_LUN_OUT = {0x01, 0x02, 0x05}
_LUN_IN = {0x25, 0x31}
_PIECE = 1 << 18


class ConnectionEnded(Exception):
    """The other side closed, in the middle of a PDU or between two."""


@dataclass(frozen=True)
class LoginWish:
    """The initiator and the target of a login request."""

    initiator: str
    target: str


def to_target(
    host: socket.socket, target: socket.socket, admit: Callable[[LoginWish], bool]
) -> None:
    """Pass on what a host sends, until the connection ends.

    :param admit: called at the first login request that names a target; False ends the connection.
    """
    asked = False
    while True:
        header, rest = _next(host)
        opcode = header[0] & _OPCODE
        if opcode == _LOGIN_REQUEST and not asked:
            data = _read(host, rest)
            wish = wish_in(data)
            if wish is not None:
                asked = True
                if not admit(wish):
                    return
            target.sendall(bytes(header) + data)
            continue
        if opcode in _LUN_OUT:
            header[_LUN] += 1
        _pass_on(header, rest, host, target)


def to_host(target: socket.socket, host: socket.socket, logged_in: Callable[[], None]) -> None:
    """Pass on what tgtd sends, until the connection ends.

    :param logged_in: called when tgtd has accepted the login.
    """
    while True:
        header, rest = _next(target)
        opcode = header[0] & _OPCODE
        if opcode == _LOGIN_RESPONSE:
            into = header[1] & _TO_FULL_FEATURE == _TO_FULL_FEATURE
            if into and header[_STATUS_CLASS] == 0:
                logged_in()
        elif opcode in _LUN_IN and header[_LUN]:
            header[_LUN] -= 1
        _pass_on(header, rest, target, host)


def wish_in(data: bytes) -> LoginWish | None:
    """Return a login request's initiator and target, None if it names no target."""
    keys = dict(
        text.split("=", 1) for text in data.decode(errors="replace").split("\0") if "=" in text
    )
    if "TargetName" not in keys:
        return None
    return LoginWish(keys.get("InitiatorName", ""), keys["TargetName"])


def _next(source: socket.socket) -> tuple[bytearray, int]:
    """Return the next PDU's header, and how many bytes follow it."""
    header = bytearray(_read(source, _HEADER))
    data = int.from_bytes(header[5:8], "big")
    return header, header[4] * 4 + (data + 3) // 4 * 4


def _pass_on(header: bytearray, rest: int, source: socket.socket, sink: socket.socket) -> None:
    # Small ones in one piece, so that neither side waits for the second half of a packet.
    first = min(rest, _PIECE)
    sink.sendall(bytes(header) + _read(source, first))
    rest -= first
    while rest:
        piece = _read(source, min(rest, _PIECE))
        sink.sendall(piece)
        rest -= len(piece)


def _read(source: socket.socket, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        done = source.recv_into(view)
        if not done:
            raise ConnectionEnded
        view = view[done:]
    return bytes(buffer)
