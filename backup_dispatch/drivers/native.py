# SPDX-License-Identifier: Apache-2.0
"""Objects whose calls block, handed out so that they stop no other green thread."""

from __future__ import annotations

from typing import Any, cast

from cinder import utils


def in_native_threads(thing: Any) -> Any:
    """Wrap ``thing`` as this Cinder wraps what its own backup drivers call.

    Before Cinder 29 it always calls through eventlet's native threads; since then only where
    eventlet has patched the process.
    """
    wrap = getattr(utils, "tpool_wrap", None)
    if wrap is None:
        from eventlet import tpool  # a Cinder without eventlet has tpool_wrap

        wrap = tpool.Proxy
    return cast("Any", wrap)(thing)
