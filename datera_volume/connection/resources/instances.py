# SPDX-License-Identifier: Apache-2.0
"""App instances: exact lookup, creation at most once, admin state and deletion."""

from __future__ import annotations

import re
from typing import Any

from datera_volume.connection.cluster_limits import room_for
from datera_volume.connection.dialect import Dialect
from datera_volume.connection.errors import (
    AlreadyOnCluster,
    CertificateRefused,
    DateraError,
    LoginRefused,
    NotOnCluster,
    OutcomeUnknown,
    RequestRefused,
    UnexpectedAnswer,
)
from datera_volume.connection.resources import changing, parsing
from datera_volume.connection.resources.adapter import SETTLE_SECONDS, TenantPart
from datera_volume.connection.resources.model import (
    ALLOW_ALL,
    DENY_ALL,
    OFFLINE,
    ONLINE,
    AppInstance,
    NewAppInstance,
)
from datera_volume.connection.resources.templates import template_fields
from datera_volume.connection.resources.volumes import placement_field
from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.listing import total_of
from datera_volume.connection.transport.paths import child

LOG = tracing.logger(__name__)

COLLECTION = "/app_instances"
COPYING = "cloning"
SOURCE_FIELD = {
    "app_instance": "clone_src",
    "volume": "clone_volume_src",
    "snapshot": "clone_snapshot_src",
}
# After so many lost responses in a row it is the connection that is broken.
CREATE_ATTEMPTS = 3
FREE_INSTANCES = "Delete volumes or backups, or use another cluster"


class AppInstances(TenantPart):
    """App instances of a tenant."""

    def app_instance(self, name_or_id: str) -> AppInstance:
        """Return the one app instance of exactly this name or id.

        :raises NotOnCluster: there is none in this tenant.
        """
        try:
            path = child(COLLECTION, name_or_id)
        except RequestRefused as exc:
            raise NotOnCluster(
                f"No app instance {name_or_id} in {self._adapter.tenant}: {exc}"
            ) from exc
        # A failed request says nothing about whether it exists.
        found = parsing.app_instance(self._adapter.get(path))
        if name_or_id not in (found.name, found.id) or not self._in_tenant(found):
            raise NotOnCluster(f"No app instance {name_or_id} in {self._adapter.tenant}")
        return found

    def app_instances(self, name_pattern: str | None = None) -> list[AppInstance]:
        """Return all app instances, or those whose whole name matches a regular expression.

        :raises ValueError: the pattern holds blanks or parentheses, which the cluster's filter
            cannot carry, or is no regular expression.
        """
        if name_pattern is None:
            return [parsing.app_instance(item) for item in self._adapter.all(COLLECTION)]
        if re.search(r"[\s()]", name_pattern):
            raise ValueError(f"the cluster's filter cannot carry the pattern {name_pattern!r}")
        whole = re.compile(name_pattern)
        # Whether the cluster anchors a pattern is not known: its result is filtered again.
        items = self._adapter.all(COLLECTION, filter=f"match(name,{name_pattern})")
        return [
            parsing.app_instance(item)
            for item in items
            if whole.fullmatch(str(item.get("name", "")))
        ]

    def count_app_instances(self) -> int | None:
        """Return the number of app instances, by one short request; None if not reported."""
        try:
            response = self._adapter.some(COLLECTION, limit=1)
        except NotOnCluster:  # no such tenant
            return 0
        return total_of(response, self._adapter.dialect)

    def create_app_instance(self, new: NewAppInstance) -> AppInstance:
        """Create an app instance, and return it once it is no longer being copied.

        A lost response is no failure: the created object is recognised by its name, uuid and
        description, in this tenant. So give at least one of uuid and description.

        :raises AlreadyOnCluster: the name is taken by an object that this call did not create.
        :raises LimitReached: the cluster has reached its limit of app instances or volumes.
        :raises RequestInvalid: the cluster does not accept a value.
        :raises NotReadyInTime: it was created, and is still being copied after the deadline.
        """
        body = creation_body(new, self._adapter.dialect)
        lost: OutcomeUnknown | UnexpectedAnswer | None = None
        for _attempt in range(CREATE_ATTEMPTS):
            try:
                with room_for(f"app instance {new.name}", FREE_INSTANCES):
                    response = self._adapter.post(COLLECTION, body)
                return self._copied(parsing.app_instance(response))
            except (OutcomeUnknown, UnexpectedAnswer) as exc:
                LOG.warning("Checking whether app instance %s was created: %s", new.name, exc)
                lost = exc
            except AlreadyOnCluster:
                if lost is None:
                    raise
            made = self._ours(new)
            if made is not None:
                return self._copied(made)
        raise OutcomeUnknown(
            f"App instance {new.name} may or may not have been created: {lost}"
        ) from lost

    def rename(self, ai: AppInstance, name: str) -> AppInstance:
        """Rename an app instance.

        :raises AlreadyOnCluster: the name is taken.
        """
        return self._change(ai, {"name": name})

    def describe(self, ai: AppInstance, text: str) -> AppInstance:
        """Set the description: 3 to 128 of letters, digits, blanks and ``_-.``.

        The first is a letter or an underscore.
        """
        return self._change(ai, {"descr": text})

    def set_online(self, ai: AppInstance) -> AppInstance:
        """Set it online and return it once every storage instance is available.

        :raises NotReadyInTime: that did not happen before the deadline.
        """
        now = self._change(ai, {"admin_state": ONLINE})
        if now.available and now.storage_instances:
            return now
        return self._adapter.poller.until(
            lambda: parsing.app_instance(self._adapter.get(ai.path)),
            lambda seen: seen.available,
            seconds=SETTLE_SECONDS,
            what=f"the storage instances of {ai.name} to be available",
        )

    def set_offline(self, ai: AppInstance, *, force: bool = True) -> AppInstance:
        """Set it offline; with force, even while initiators are logged in.

        :raises RequestRefused: it is in use, and ``force`` is False.
        """
        return self._change(ai, {"admin_state": OFFLINE}, **({"force": True} if force else {}))

    def _change(self, ai: AppInstance, fields: dict[str, str], **how: Any) -> AppInstance:
        """Update fields of an app instance and return it.

        :param how: further fields of the request.
        """
        response = changing.change(
            self._adapter,
            ai.path,
            {**fields, **how},
            lambda shown: all(shown.get(name) == value for name, value in fields.items()),
            f"changing the {', '.join(fields)} of app instance {ai.name}",
        )
        return parsing.app_instance(response if _complete(response) else self._adapter.get(ai.path))

    def delete_app_instance(self, ai: AppInstance) -> None:
        """Set it offline by force, and delete it with all its snapshots.

        If the deletion fails, it is set online again where it was online.

        :raises NotOnCluster: it was already gone.
        """
        try:
            self.set_offline(ai, force=True)
            changing.removed(
                lambda: self._adapter.delete(ai.path, {"force": True}),
                lambda: self.app_instance(ai.id),
                f"deleting app instance {ai.name}",
            )
        except (NotOnCluster, LoginRefused, CertificateRefused):
            raise  # nothing to set online, or no access to it
        except DateraError:
            if ai.online:
                self._switch_on_again(ai)
            raise

    def _switch_on_again(self, ai: AppInstance) -> None:
        """Restore the admin state after a failure, which is the one to raise."""
        try:
            self._change(ai, {"admin_state": ONLINE})
        except NotOnCluster:
            return
        except DateraError as exc:
            LOG.warning("App instance %s stays offline: %s", ai.name, exc)

    def _copied(self, ai: AppInstance) -> AppInstance:
        if ai.op_state != COPYING and ai.storage_instances:
            return ai
        return self._adapter.poller.until(
            lambda: parsing.app_instance(self._adapter.get(ai.path)),
            lambda seen: seen.op_state != COPYING and bool(seen.storage_instances),
            seconds=SETTLE_SECONDS,
            what=f"the copy {ai.name} to be complete",
        )

    def _ours(self, new: NewAppInstance) -> AppInstance | None:
        """Return what the lost request created; None where there is nothing of that name.

        :raises AlreadyOnCluster: the object of that name was not created by it.
        """
        try:
            found = self.app_instance(new.name)
        except NotOnCluster:
            return None
        same = (
            found.name == new.name
            and (new.uuid is None or found.uuid == new.uuid)
            and found.descr == (new.descr or "")
            and found.create_mode in ("", new.create_mode)
            and (new.uuid is not None or bool(new.descr))
        )
        if not same:
            raise AlreadyOnCluster(
                f"App instance {new.name} in {self._adapter.tenant} exists and was not created by "
                f"this request"
            )
        return found

    def _in_tenant(self, ai: AppInstance) -> bool:
        return not ai.tenant or ai.tenant == self._adapter.tenant


def creation_body(new: NewAppInstance, dialect: Dialect) -> dict[str, Any]:
    """Return the request body for a new app instance."""
    body: dict[str, Any] = {
        "name": new.name,
        "create_mode": new.create_mode,
        "access_control_mode": ALLOW_ALL if new.open_to_all else DENY_ALL,
    }
    if new.descr:
        body["descr"] = new.descr
    if new.uuid:
        body["uuid"] = new.uuid
    if new.source_path is not None:
        body[SOURCE_FIELD[new.source_kind or "volume"]] = {"path": new.source_path}
        return body
    if new.template is not None:
        return body | template_fields(new, dialect)
    volume: dict[str, Any] = {"name": new.volume_name, "size": new.size_gib}
    if new.replica_count is not None:
        volume["replica_count"] = new.replica_count
    volume.update(placement_field(dialect, new.placement_mode, new.placement_policy))
    limits = {name: value for name, value in new.limits.items() if value}
    if limits:
        volume["performance_policy"] = limits
    storage: dict[str, Any] = {"name": new.storage_name, "volumes": [volume]}
    if new.ip_pool is not None:
        storage["ip_pool"] = {"path": child("/access_network_ip_pools", new.ip_pool)}
    body["storage_instances"] = [storage]
    return body


def _complete(response: Any) -> bool:
    return "id" in response and "storage_instances" in response
