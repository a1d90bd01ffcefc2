# SPDX-License-Identifier: Apache-2.0
"""A deadline for a whole response.

The read timeout of ``requests`` ends silence alone: a peer that sends a byte every minute, or never
ends a header or a body, would hold the calling thread, and memory, for ever.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from datera_volume.connection.errors import chain_of


class ResponseTooSlow(TimeoutError):
    """The response had not ended by its deadline."""


def too_slow(error: BaseException) -> bool:
    """Say whether that is what has caused the error."""
    return any(isinstance(one, ResponseTooSlow) for one in chain_of(error))


class _UntilDeadline(io.RawIOBase):
    """Reads from a socket until the deadline.

    :param raw: what reads from the socket; closed with this.
    """

    def __init__(
        self, raw: Any, connected: socket.socket, deadline: float, clock: Callable[[], float]
    ) -> None:
        self._raw = raw
        self._socket = connected
        self._deadline = deadline
        self._clock = clock

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what comes.

        :raises ResponseTooSlow: the deadline has passed.
        :raises TimeoutError: so has the read timeout.
        """
        left = self._deadline - self._clock()
        if left <= 0:
            raise ResponseTooSlow("timed out")
        silence = self._socket.gettimeout()
        self._socket.settimeout(left if silence is None else min(left, silence))
        try:
            received: int | None = self._raw.readinto(buffer)
        finally:
            self._socket.settimeout(silence)
        return received

    def close(self) -> None:
        """Let the socket go."""
        if not self.closed:
            self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(
        self,
        sock: socket.socket,
        *args: Any,
        seconds: float,
        clock: Callable[[], float],
        **kwargs: Any,
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        # Status, headers and body are all read from this.
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_UntilDeadline(raw, sock, clock() + seconds, clock))


class ResponseDeadline(HTTPAdapter):
    """An adapter whose responses end, however they come.

    :param seconds: for a response, from the end of its request.
    """

    def __init__(self, seconds: float, clock: Callable[[], float], **how: Any) -> None:
        self._response = partial(_Response, seconds=seconds, clock=clock)
        super().__init__(**how)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the connections that read so."""
        super().init_poolmanager(*args, **kwargs)
        own = {"response_class": staticmethod(self._response)}
        plain = type("Connection", (HTTPConnection,), own)
        secure = type("SecureConnection", (HTTPSConnection,), own)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }
