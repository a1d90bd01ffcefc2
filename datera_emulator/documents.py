# SPDX-License-Identifier: Apache-2.0
"""The two names that JSON has in this house."""

from __future__ import annotations

from typing import Any

Json = Any
Document = dict[str, Any]
