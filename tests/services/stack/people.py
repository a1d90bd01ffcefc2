# SPDX-License-Identifier: Apache-2.0
"""The cloud's users, the service catalogue, and clouds.yaml for the client."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.servers.keystone_server import REGION

VOLUME_API = "3.60"
ADMIN, SERVICE = "admin", "cinder"
ANSWER_SECONDS = 150.0
"""Longer than Cinder's API waits for a response of its own services before it returns 500."""
USERS = {"alice": "blue", "bob": "red"}
"""The ordinary users, each with a separate project."""


class People:
    """The users' passwords, and what is derived from them."""

    def __init__(self) -> None:
        self._passwords = {name: secrets.token_urlsafe(12) for name in (ADMIN, SERVICE, *USERS)}
        self.keystone_url = ""

    def password(self, user: str) -> str:
        """A user's password."""
        return self._passwords[user]

    def authentication(self, user: str) -> dict[str, str]:
        """Return a user's credentials for Keystone."""
        projects = {ADMIN: "admin", SERVICE: "service", **USERS}
        return {
            "auth_url": self.keystone_url,
            "username": user,
            "password": self._passwords[user],
            "project_name": projects[user],
            "user_domain_id": "default",
            "project_domain_id": "default",
        }

    def write_clouds(self, path: Path) -> Path:
        """Write clouds.yaml: a cloud for each user, by the user's name. It is JSON."""
        path.touch(mode=0o600)
        clouds = {
            user: {
                "auth": self.authentication(user),
                "region_name": REGION,
                "volume_api_version": VOLUME_API,
            }
            for user in (ADMIN, *USERS)
        }
        path.write_text(json.dumps({"clouds": clouds}, indent=2) + "\n")
        return path

    def connection(self, user: str, *, seconds: float = ANSWER_SECONDS) -> Any:
        """Return an openstacksdk connection, for a test's own queries.

        :param seconds: the timeout of each request.
        """
        import openstack  # slow to import, and only needed once Keystone is up

        return openstack.connect(
            load_yaml_config=False, load_envvars=False, api_timeout=seconds, **self.words(user)
        )

    def words(self, user: str) -> dict[str, Any]:
        """Return the arguments that connect openstacksdk as a user."""
        return {
            "auth": self.authentication(user),
            "region_name": REGION,
            "block_storage_default_microversion": VOLUME_API,
        }

    def make_users(self) -> None:
        """Create the projects, the users, and Cinder's own user."""
        identity = self.connection(ADMIN).identity
        roles = {role.name: role for role in identity.roles()}
        wanted: Mapping[str, tuple[str, tuple[str, ...]]] = {
            SERVICE: ("service", ("admin", "service")),
            **{user: (project, ("member",)) for user, project in USERS.items()},
        }
        for user, (project, role_names) in wanted.items():
            made_project = identity.create_project(name=project, domain_id="default")
            made_user = identity.create_user(
                name=user,
                password=self._passwords[user],
                domain_id="default",
                default_project_id=made_project.id,
            )
            for name in role_names:
                identity.assign_project_role_to_user(made_project, made_user, roles[name])

    def make_catalogue(self, urls: Mapping[tuple[str, str], str]) -> None:
        """Create the service catalogue: URLs by type and name."""
        identity = self.connection(ADMIN).identity
        for (kind, name), url in urls.items():
            service = identity.create_service(type=kind, name=name)
            for interface in ("public", "internal"):
                identity.create_endpoint(
                    service_id=service.id, interface=interface, url=url, region_id=REGION
                )
