# SPDX-License-Identifier: Apache-2.0
"""``python -m pictures``, in the folder ``docs/_ext``."""

from __future__ import annotations

from pictures.album import FOLDER, drawings

for name, svg in drawings().items():
    (FOLDER / name).write_text(svg, encoding="utf-8")
