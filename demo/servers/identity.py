# SPDX-License-Identifier: Apache-2.0
"""Who may use the demo's cloud: projects, users, the service catalogue, and clouds.yaml."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.servers.cinder_conf import SERVICE_PROJECT, SERVICE_USER
from demo.servers.keystone_server import REGION

# The properties of a backup need microversion 3.43, the mode of an attachment needs 3.54.
VOLUME_API = "3.60"
USER = "demo"
PROJECT = "demo"


def _password() -> str:
    return secrets.token_urlsafe(12)


@dataclass(frozen=True)
class Passwords:
    """One password for each user, new for each run."""

    admin: str = field(default_factory=_password, repr=False)
    service: str = field(default_factory=_password, repr=False)
    user: str = field(default_factory=_password, repr=False)


def clouds(keystone_url: str, passwords: Passwords) -> dict[str, Any]:
    """Return clouds.yaml's content: the cloud ``demo`` for the ordinary user, ``demo-admin``."""

    def entry(username: str, password: str, project: str) -> dict[str, Any]:
        return {
            "auth": {
                "auth_url": keystone_url,
                "username": username,
                "password": password,
                "project_name": project,
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
            "region_name": REGION,
            "volume_api_version": VOLUME_API,
        }

    return {
        "clouds": {
            "demo": entry(USER, passwords.user, PROJECT),
            "demo-admin": entry("admin", passwords.admin, "admin"),
        }
    }


def write_clouds(path: Path, keystone_url: str, passwords: Passwords) -> Path:
    """Write clouds.yaml, readable only by its owner. It is JSON, which is valid YAML."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(clouds(keystone_url, passwords), indent=2) + "\n")
    return path


def credentials(cloud: str, keystone_url: str, passwords: Passwords) -> dict[str, Any]:
    """Return the arguments of `connect` for one of the two clouds."""
    entry = clouds(keystone_url, passwords)["clouds"][cloud]
    return {
        "auth": entry["auth"],
        "region_name": REGION,
        "block_storage_default_microversion": VOLUME_API,
    }


def connect(words: dict[str, Any]) -> Any:
    """Return an openstacksdk connection that ignores clouds in HOME."""
    # Slow to import, and only needed when Keystone is up.
    import openstack

    return openstack.connect(load_yaml_config=False, load_envvars=False, **words)


def make_users(admin: Any, passwords: Passwords) -> None:
    """Create Cinder's service user, and a project with an ordinary user."""
    identity = admin.identity
    roles = {role.name: role for role in identity.roles()}
    for user, password, project, role_names in (
        (SERVICE_USER, passwords.service, SERVICE_PROJECT, ("admin", "service")),
        (USER, passwords.user, PROJECT, ("member",)),
    ):
        made_project = identity.create_project(name=project, domain_id="default")
        made_user = identity.create_user(
            name=user,
            password=password,
            domain_id="default",
            default_project_id=made_project.id,
        )
        for name in role_names:
            identity.assign_project_role_to_user(made_project, made_user, roles[name])


def make_catalogue(admin: Any, cinder_port: int) -> None:
    """Create the catalogue entry of Cinder."""
    identity = admin.identity
    service = identity.create_service(type="block-storage", name="cinder")
    for interface in ("public", "internal"):
        identity.create_endpoint(
            service_id=service.id,
            interface=interface,
            url=f"http://127.0.0.1:{cinder_port}/v3/%(project_id)s",
            region_id=REGION,
        )
