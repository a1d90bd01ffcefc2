# SPDX-License-Identifier: Apache-2.0
"""Rules for CHAP credentials."""

from __future__ import annotations

import dataclasses

from datera_emulator.documents import Document
from datera_emulator.errors import ValidationFailed
from datera_emulator.state.model import Auth

_NEEDED = {
    "none": (),
    "chap": ("target_user_name", "target_pswd"),
    "mchap": ("target_user_name", "target_pswd", "initiator_user_name", "initiator_pswd"),
}


def checked_auth(wish: Document, present: Auth | None = None) -> Auth:
    """Return credentials with a request applied.

    :raises ValidationFailed: the type needs more than what is given.
    """
    changed = dataclasses.replace(present or Auth(), **wish)
    missing = [name for name in _NEEDED[changed.type] if not getattr(changed, name)]
    if missing:
        raise ValidationFailed(f"{changed.type} needs {', '.join(missing)}")
    return changed
