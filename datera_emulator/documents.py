# SPDX-License-Identifier: Apache-2.0
"""Types of JSON documents."""

from __future__ import annotations

from typing import Any

Json = Any
Document = dict[str, Any]
