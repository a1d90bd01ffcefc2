# SPDX-License-Identifier: Apache-2.0
"""Signals that terminate the demo: the first becomes an exception, the others mean "hurry".

So there is at most one exception, and clean-up is never interrupted by another.
"""

import signal
from types import FrameType

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A terminating signal was received."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Listener:
    """Handles signals. Those that the caller of this process has ignored stay ignored (nohup)."""

    def __init__(self) -> None:
        self.hurried = False
        self._raises = True
        for number in ASKING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._came)

    def only_hurry(self) -> None:
        """Raise no exception any more."""
        self._raises = False

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self._raises:
            self._raises = False
            raise Interrupted(number)
        self.hurried = True
