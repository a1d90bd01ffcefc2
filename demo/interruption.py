# SPDX-License-Identifier: Apache-2.0
"""Signals that ask the demo to end: each becomes an exception, and clean-up is never cut short."""

import signal
from collections.abc import Callable
from types import FrameType

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Hurry(BaseException):
    """Another signal came while things were being stopped."""


def listen() -> None:
    """Raise `Interrupted` in the main thread when a signal comes. What is ignored stays ignored."""

    def interrupted(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    _handle(interrupted)


def finish(stop: Callable[[float], None], seconds: float, hurried: Callable[[], None]) -> None:
    """Call ``stop`` until it has run to its end, whatever signals come meanwhile.

    :param stop: takes up where it was left; gets the seconds that each server may take.
    :param hurried: told once when a signal comes; from then on the servers get no time at all.
    """

    def hurry(number: int, frame: FrameType | None) -> None:
        raise Hurry

    def deaf(number: int, frame: FrameType | None) -> None:
        """Nothing can be faster than that."""

    try:
        _handle(hurry)
        stop(seconds)
    except Hurry:
        _handle(deaf)
        hurried()
        stop(0.0)
    finally:
        _handle(deaf)


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in ASKING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
