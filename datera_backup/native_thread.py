# SPDX-License-Identifier: Apache-2.0
"""Blocking calls that do not block other green threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from eventlet import patcher, tpool
from oslo_log import log as logging

from datera_backup.container import notices

LOG = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


def in_native_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``function`` and return what it returns, while other green threads go on.

    Where nothing is monkey-patched, threads are real, and it is called right here. The function
    must not log: under eventlet that fails in a native thread. What it leaves in
    :mod:`datera_backup.container.notices` instead is logged when it has ended.
    """
    try:
        if patcher.is_monkey_patched("socket"):
            return cast("R", tpool.execute(function, *args, **kwargs))
        return function(*args, **kwargs)
    finally:
        for message in notices.told():
            LOG.warning("%s", message)


def unwrapped(file: object) -> object:
    """The object behind the proxies that Cinder puts around what it hands to a backup driver."""
    while isinstance(file, tpool.Proxy):
        file = file._obj
    return file
