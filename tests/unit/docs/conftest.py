# SPDX-License-Identifier: Apache-2.0
"""The pages are built where Sphinx is installed, which is beside the newest Cinder."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("sphinx") else ["test_reference.py", "test_site.py"]
