# SPDX-License-Identifier: Apache-2.0
"""What a cluster accepts as a name: one rule for tenants, volumes and CHAP users.

The rule's source is the pattern of ``name`` and of ``target_user_name`` in the array's own schema.
"""

from __future__ import annotations

import re

NAME_RULE = (
    "3 to 64 letters, digits, underscores, dots and dashes, the first a letter or an underscore, "
    "in ASCII"
)

# An existing object may predate the rule for names; its name must not change the request path.
_REFERENCE = re.compile(r"(/placement_policies/)?[^/\s?#]+(?<!\.)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{2,63}")
_UUID = re.compile(r"[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}")


def fold_iqn(iqn: str) -> str:
    """Return the spelling in which two names of one initiator are equal: RFC 3722 folds case."""
    return iqn.lower()


def is_name(text: str) -> bool:
    """Whether this is a name as :data:`NAME_RULE` says."""
    return _NAME.fullmatch(text) is not None


def is_name_or_uuid(text: str) -> bool:
    """Whether this is valid for an app instance or a tenant: a name, or a UUID."""
    return is_name(text) or _UUID.fullmatch(text) is not None


def is_reference(text: str) -> bool:
    """Whether this can be the name of an existing object, or the path of a placement policy."""
    return _REFERENCE.fullmatch(text) is not None
