# SPDX-License-Identifier: Apache-2.0
"""The one place that imports ``dfs_sdk``, on every Python that Cinder runs on.

Importing the SDK needs a name that Python 3.10 removed, silences urllib3's warnings for the whole
process and adds a class to the standard library's ``logging``. Here the name is provided only while
the SDK is imported, and its other changes are reverted.

:raises SdkMissing: on import of this module, where the SDK is not installed.
"""

from __future__ import annotations

import collections
import collections.abc
import logging
import warnings
from typing import Any

from datera_volume.connection.errors import SdkMissing


def _import() -> tuple[Any, Any, str]:
    lent = not hasattr(collections, "Mapping")
    had_handler = hasattr(logging, "CompressedRotatingFileHandler")
    try:
        with warnings.catch_warnings():
            if lent:
                collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined]
            from dfs_sdk.connection import ApiConnection
            from dfs_sdk.constants import VERSION
            from dfs_sdk.context import ApiContext
    except ModuleNotFoundError as exc:
        if (exc.name or "").split(".")[0] == "dfs_sdk":
            raise SdkMissing() from None
        raise SdkMissing(
            f"The Datera SDK needs the Python package {exc.name}, which is not installed; "
            f"install it with: pip install {exc.name}"
        ) from exc
    finally:
        if lent:
            vars(collections).pop("Mapping", None)
        if not had_handler:
            vars(logging).pop("CompressedRotatingFileHandler", None)
    return ApiConnection, ApiContext, VERSION


ApiConnection, ApiContext, SDK_VERSION = _import()
