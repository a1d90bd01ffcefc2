# SPDX-License-Identifier: Apache-2.0
"""Native threads, even if eventlet has monkey-patched Python's.

Nothing that runs in such a thread may log: under eventlet the locks of logging are green ones.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType


def unpatched_threading() -> ModuleType:
    """Return the module ``threading`` as it is without eventlet.

    It is looked up at each use, because a service may patch after this module was imported.
    """
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        original: ModuleType = patcher.original("threading")
        return original
    return threading
