# SPDX-License-Identifier: Apache-2.0
"""Counting what is refused before any backend is called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from backup_dispatch.counting.counters import counters, reason_name
from backup_dispatch.errors import BackendFailed, BackendStalled, DispatchError

Method = TypeVar("Method", bound=Callable[..., Any])

_BY_THE_BACKEND = (BackendFailed, BackendStalled)
"""The backend was called; these operations are counted as ended."""


def refusals_counted(kind: str) -> Callable[[Method], Method]:
    """Count the refusals of a method, by the class of its error.

    :param kind: what the method does, for the metrics.
    """

    def counting(method: Method) -> Method:
        @functools.wraps(method)
        def call(*arguments: Any, **named: Any) -> Any:
            try:
                return method(*arguments, **named)
            except DispatchError as error:
                if not isinstance(error, _BY_THE_BACKEND):
                    counters().refused(kind, reason_name(error))
                raise

        return cast("Method", call)

    return counting
