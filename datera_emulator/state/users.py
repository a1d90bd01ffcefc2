# SPDX-License-Identifier: Apache-2.0
"""Users, their roles' privileges, and directories that authenticate users of their own.

The names of an array's roles are not recorded; the three here are the emulator's own.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from datera_emulator.state.tenancy import ROOT, canonical

ADMIN = "admin"
ROLES: dict[str, tuple[str, ...]] = {
    ADMIN: ("read", "write", "administer"),
    "operator": ("read", "write"),
    "viewer": ("read",),
}


@dataclass
class User:
    """A user. ``tenants`` are paths: the user may act in them and below them."""

    user_id: str
    full_name: str
    password: str = field(repr=False)
    email: str = ""
    enabled: bool = True
    roles: list[str] = field(default_factory=list)
    tenants: list[str] = field(default_factory=lambda: [ROOT])

    @property
    def path(self) -> str:
        """The path in the API."""
        return f"/users/{self.user_id}"

    def proves(self, password: str) -> bool:
        """Return whether a password is the user's."""
        return self.enabled and hmac.compare_digest(password.encode(), self.password.encode())


@dataclass(frozen=True)
class Caller:
    """A logged-in user, as of the login."""

    user_id: str
    roles: tuple[str, ...]
    tenants: tuple[str, ...]
    remote_server: str = ""

    def may(self, privilege: str) -> bool:
        """Return whether one of the roles gives a privilege."""
        return any(privilege in ROLES.get(role, ()) for role in self.roles)

    def reaches(self, tenant: str) -> bool:
        """Return whether a tenant is one of the caller's, or below one."""
        return any(
            tenant == own or tenant.startswith(f"{own.rstrip('/')}/")
            for own in map(canonical, self.tenants)
        )


# The caller if there are no users; the API has no such user.
NOBODY = Caller("", (), ())

# Users by name, for each remote server that a login may refer to.
Directories = Mapping[str, Sequence[User]]


def caller_from(user: User, remote_server: str = "") -> Caller:
    """Return what a user may do from now on."""
    return Caller(user.user_id, tuple(user.roles), tuple(user.tenants), remote_server)


def directories_from(texts: Sequence[str]) -> dict[str, list[User]]:
    """Return directories of administrators from ``SERVER/USER:PASSWORD``.

    :raises ValueError: a text is not of this form.
    """
    directories: dict[str, list[User]] = {}
    for text in texts:
        server, slash, rest = text.partition("/")
        name, colon, password = rest.partition(":")
        if not (slash and colon and server and name and password):
            raise ValueError(f"--ldap {server}/…: is not SERVER/USER:PASSWORD")
        user = User(name, name, password, roles=[ADMIN])
        directories.setdefault(server, []).append(user)
    return directories
