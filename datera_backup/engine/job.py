# SPDX-License-Identifier: Apache-2.0
"""A job: something that moves bytes in threads of its own, and can be asked and stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    :param done: bytes of the source that are dealt with, zeros and holes included.
    :param total: bytes of the source.
    :param stored: bytes that moved between this process and the containers.
    """

    done: int
    total: int
    stored: int


class Job(Generic[R]):
    """Runs once. Every method may be called from any thread."""

    def start(self) -> None:
        """Start the threads and return."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all threads have ended, at most ``timeout`` seconds; say whether they have.

        It blocks the calling native thread: under eventlet, call it through ``tpool``.
        """
        raise NotImplementedError

    def cancel(self) -> None:
        """Ask the job to end; without effect on one that has finished or failed."""
        raise NotImplementedError

    @property
    def progress(self) -> Progress:
        """How far the job is now."""
        raise NotImplementedError

    def result(self) -> R:
        """Wait for the end and return what the job gives.

        :raises JobCancelled: it was cancelled first.
        :raises Exception: the first failure of any of its threads.
        """
        raise NotImplementedError
