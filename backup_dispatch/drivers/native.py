# SPDX-License-Identifier: Apache-2.0
"""Wrappers for objects whose calls block, so that other green threads are not blocked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from cinder import utils


def in_native_threads(thing: Any) -> Any:
    """Wrap ``thing`` as this Cinder wraps what its own backup drivers call.

    Before Cinder 29 calls always go through eventlet's native threads; since then only if
    eventlet has patched the process.
    """
    wrap = getattr(utils, "tpool_wrap", None)
    if wrap is None:
        from eventlet import tpool  # a Cinder without eventlet has tpool_wrap

        wrap = tpool.Proxy
    return cast("Any", wrap)(thing)


def below_the_proxy(file: Any, wrap: Callable[[Any], Any]) -> Any:
    """Wrap ``file`` below the proxy that Cinder may have put around it.

    Drivers that work in native threads of their own remove the proxy, which does not work in those.
    """
    if type(file).__module__ == "eventlet.tpool":
        return type(file)(wrap(file._obj))
    return wrap(file)
