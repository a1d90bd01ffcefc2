# SPDX-License-Identifier: Apache-2.0
"""Cinder's objects, registered before any test imports what names them."""

from __future__ import annotations

from cinder import objects

objects.register_all()
