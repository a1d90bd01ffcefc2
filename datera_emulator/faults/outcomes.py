# SPDX-License-Identifier: Apache-2.0
"""What can happen to a request instead of an answer, by name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from datera_emulator.documents import Json

_PAGE = "<html><body><h1>Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Answer:
    """Answer this instead. A ``str`` or ``bytes`` body is sent as it is, anything else as JSON.

    :param whole: whether all of it is sent; else the connection ends in the middle of the body.
    """

    status: int
    body: Json = None
    content_type: str = "application/json"
    whole: bool = True


@dataclass(frozen=True)
class Drop:
    """Close the connection without an answer."""


@dataclass(frozen=True)
class Hang:
    """Do not answer until ``release`` is set, or for ``seconds``; then continue normally."""

    release: threading.Event = field(default_factory=threading.Event)
    seconds: float | None = None


@dataclass(frozen=True)
class Half:
    """Send half of the real response, and close the connection."""


@dataclass(frozen=True)
class ForgetToken:
    """Let the request's key expire just before the request is processed."""


Outcome = Answer | Drop | Half | Hang | ForgetToken


@dataclass(frozen=True)
class Wish:
    """Parameters of a kind of fault; None is the kind's default."""

    status: int | None = None
    body: Json = None
    seconds: float | None = None


def _answer(wish: Wish) -> Outcome:
    return Answer(wish.status or 500, wish.body or {"message": "fault on purpose"})


def _busy(wish: Wish) -> Outcome:
    return Answer(wish.status or 503, wish.body or {"message": "busy"})


def _html(wish: Wish) -> Outcome:
    return Answer(wish.status or 502, wish.body or _PAGE, "text/html")


def _wrong_body(wish: Wish) -> Outcome:
    # A list where every client expects an object.
    return Answer(wish.status or 200, ["wrong"] if wish.body is None else wish.body)


def _slow(wish: Wish) -> Outcome:
    return Hang(seconds=1.0 if wish.seconds is None else wish.seconds)


# By name: what it does, and whether the request takes effect anyway.
KINDS: dict[str, tuple[Callable[[Wish], Outcome], bool]] = {
    "answer": (_answer, False),
    "busy": (_busy, False),
    "drop": (lambda _: Drop(), False),
    "drop_applied": (lambda _: Drop(), True),
    "empty": (lambda wish: Answer(wish.status or 200, b""), True),
    "expired_token": (lambda _: ForgetToken(), False),
    "half": (lambda _: Half(), True),
    "hang": (lambda wish: Hang(seconds=wish.seconds), False),
    "html": (_html, False),
    "slow": (_slow, False),
    "wrong_body": (_wrong_body, True),
}


def outcome_of(kind: str, wish: Wish) -> tuple[Outcome, bool]:
    """Return what a kind of fault does, and whether the request takes effect anyway.

    :raises ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no fault {kind!r}; there are {', '.join(KINDS)}")
    make, applied = KINDS[kind]
    return make(wish), applied
