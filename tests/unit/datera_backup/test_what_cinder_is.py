# SPDX-License-Identifier: Apache-2.0
"""What the backup driver relies on in Cinder: a release that changes it is found here first."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

import pytest
from cinder import coordination, exception, objects, utils

# The rest of Cinder can be imported only after its objects have been registered.
objects.register_all()
from cinder.backup import manager  # noqa: E402
from cinder.backup.driver import BackupDriver  # noqa: E402
from cinder.objects import fields  # noqa: E402
from cinder.volume import volume_utils  # noqa: E402
from os_brick.initiator import ISCSI, connector  # noqa: E402
from os_brick.initiator.connectors.base import BaseLinuxConnector  # noqa: E402

from datera_backup.driver import DateraBackupDriver  # noqa: E402
from datera_backup.storage import host  # noqa: E402
from tests.fixtures.cinder.releases import database  # noqa: E402

pytestmark = pytest.mark.release

INTERFACE = (
    "backup", "restore", "delete_backup", "export_record", "import_record",
    "check_for_setup_error", "get_metadata", "put_metadata",
)  # fmt: skip

RECORD = {
    "container", "display_description", "display_name", "fail_reason", "host", "id", "metadata",
    "object_count", "parent_id", "project_id", "service_metadata", "size", "snapshot_id", "status",
    "volume_id",
}  # fmt: skip

STATES = {
    "AVAILABLE": "available", "CREATING": "creating", "DELETED": "deleted",
    "DELETING": "deleting", "ERROR": "error", "ERROR_DELETING": "error_deleting",
    "RESTORING": "restoring",
}  # fmt: skip

CALLED = {
    "brick_get_connector": (
        "(protocol, driver=None, use_multipath=False, device_scan_attempts=3, *args, **kwargs)"
    ),
    "notify_about_backup_usage": (
        "(context, backup, event_suffix, extra_usage_info=None, host=None)"
    ),
}

READ = (
    "backup_object_number_per_notification",
    "backup_timer_interval",
    "num_volume_device_scan_tries",
    "use_multipath_for_image_xfer",
)


def parameters(function: Any) -> list[tuple[str, bool]]:
    """The names of what a function takes, and which it can be called without."""
    return [
        (one.name, one.default is not one.empty)
        for one in inspect.signature(function).parameters.values()
    ]


def plain(function: Any) -> str:
    """A function's signature without types: some releases have them."""
    signature = inspect.signature(function)
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(inspect.Signature(bare))


def syntax_of(function: Any) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


@pytest.mark.parametrize("method", INTERFACE)
def test_each_call_of_the_interface_can_be_made_as_cinder_makes_it(method: str) -> None:
    asked = parameters(getattr(BackupDriver, method))
    given = parameters(getattr(DateraBackupDriver, method))
    assert [name for name, _ in given] == [name for name, _ in asked]
    for (name, may_be_left_out), (_, taken_without) in zip(asked, given, strict=True):
        assert taken_without >= may_be_left_out, name


def test_the_interface_has_no_other_calls() -> None:
    found = {
        name
        for name, _ in inspect.getmembers(BackupDriver, inspect.isfunction)
        if not name.startswith("_")
    }
    known = {*INTERFACE, "do_setup", "check_for_export", "set_execute"}  # of a base class
    assert found - known <= {"set_initialized", "is_supported"}


def test_what_a_backup_returns_is_written_into_the_record_after_the_manager_is_done() -> None:
    """A cancelled backup relies on it: what it returns has the last word on the state."""
    source = inspect.getsource(manager.BackupManager._finish_backup)
    available = source.index("backup.status = fields.BackupStatus.AVAILABLE")
    assert available < source.index("backup.update(updates)") < source.index("backup.save()")
    continued = inspect.getsource(manager.BackupManager.continue_backup)
    assert "updates = backup_service.backup(" in continued
    assert "self._finish_backup(context, backup, volume, updates)" in continued


def test_a_cancelled_restore_is_no_error_of_the_volume() -> None:
    handled = {
        ast.unparse(handler.type)
        for node in ast.walk(syntax_of(manager.BackupManager.restore_backup))
        if isinstance(node, ast.Try)
        for handler in node.handlers
        if handler.type is not None
    }
    assert "exception.BackupRestoreCancel" in handled
    assert issubclass(exception.BackupRestoreCancel, exception.CinderException)


def test_the_manager_sets_a_failed_backups_state_and_reason_itself() -> None:
    source = inspect.getsource(manager.BackupManager.create_backup)
    assert "volume_utils.update_backup_error(backup, str(err))" in source


def test_backup_record_has_the_fields_that_are_used() -> None:
    assert set(objects.Backup.fields) >= RECORD
    assert {"save", "refresh", "as_read_deleted"} <= set(dir(objects.Backup))


def test_record_states_are_cinders() -> None:
    assert {name: getattr(fields.BackupStatus, name) for name in STATES} == STATES


def test_records_are_found_by_container_and_by_parent() -> None:
    """By columns of the table: other filters match nothing."""
    columns = database.models.Backup.__table__.columns.keys()
    assert {"container", "parent_id"} <= set(columns)
    assert parameters(objects.BackupList.get_all)[:2] == [("context", False), ("filters", True)]


@pytest.mark.parametrize("name", CALLED)
def test_what_is_called_of_the_volume_utilities(name: str) -> None:
    assert plain(getattr(volume_utils, name)) == CALLED[name]


def test_os_brick_asks_the_same_classes_in_the_same_way_for_a_hosts_properties() -> None:
    base = f"{BaseLinuxConnector.__module__}.{BaseLinuxConnector.__qualname__}"
    assert {base, connector.get_connector_mapping()[ISCSI]} <= set(connector.unix_connector_list)
    (asked,) = [
        node
        for node in ast.walk(syntax_of(connector.get_connector_properties))
        if isinstance(node, ast.Call)
        if ast.unparse(node.func) == "connector.get_connector_properties"
    ]
    named = {keyword.arg for keyword in asked.keywords}
    assert named == {"host", "multipath", "enforce_multipath", "execute"}


def test_device_ownership_is_changed_temporarily() -> None:
    assert parameters(utils.temporary_chown) == [("path", False), ("owner_uid", True)]


@pytest.mark.parametrize("name", READ)
def test_options_that_cinder_registers(name: str) -> None:
    assert name in host.CONF


def test_locks_of_the_coordination() -> None:
    """A lock is tooz's own, prefixed, so that it can be asked whether it is still held."""
    coordinator = coordination.COORDINATOR
    assert isinstance(coordinator, coordination.Coordinator)
    assert parameters(coordinator.get_lock) == [("name", False)]
    assert parameters(coordinator.remove_lock) == [("glob_name", False)]
    (returned,) = [
        node.value
        for node in ast.walk(syntax_of(coordination.Coordinator.get_lock))
        if isinstance(node, ast.Return) and node.value is not None
    ]
    assert ast.unparse(returned).startswith("self.coordinator.get_lock(")
