# SPDX-License-Identifier: Apache-2.0
"""The keys of encrypted volumes' backups: Cinder deletes a backup's key with the backup.

So a copy has a key of its own, of the same content and in its owner's project: whoever may restore
the copy may read its key.
"""

from __future__ import annotations

from typing import Any

from castellan import key_manager
from castellan.common.credentials.keystone_password import KeystonePassword
from cinder import keymgr as _keymgr  # noqa: F401 - chooses Cinder's default
from cinder.volume import volume_utils
from keystoneauth1 import loading
from oslo_config import cfg

from backup_dispatch.errors import CopyFailed, reason_of

CONF = cfg.CONF

_SERVICE = "keystone_authtoken"


def clone_key(source: Any, context: Any, project: str) -> str | None:
    """A new key for a copy of the backup; None if that is of no encrypted volume.

    :param context: an administrator's.
    :param project: the copy's.
    :raises CopyFailed: the key cannot be read, or none be stored.
    """
    if source.encryption_key_id is None:
        return None
    try:
        manager = key_manager.API(CONF)
        key = manager.get(_reader(context, source.project_id), source.encryption_key_id)
        return str(manager.store(_reader(context, project), key))
    except Exception as error:
        raise CopyFailed(
            f"Backup {source.id} is of an encrypted volume, and its key could not be cloned "
            f"({reason_of(error)}). The user of [{_SERVICE}] must have a role in project "
            f"{source.project_id}{'' if project == source.project_id else f' and in {project}'} "
            "that may read secrets and create some."
        ) from error


def delete_key(backup: Any, context: Any) -> None:
    """Delete a backup's key, if it has one; one that is gone is no error.

    :param context: an administrator's.
    :raises Exception: whatever the key manager raises.
    """
    if backup.encryption_key_id is not None:
        manager, reader = key_manager.API(CONF), _reader(context, backup.project_id)
        volume_utils.delete_encryption_key(reader, manager, backup.encryption_key_id)


def _reader(context: Any, project: str) -> Any:
    """Whom the key manager sees: Cinder's own user in a project, since no user's token is here.

    A key manager that asks nobody, as Cinder's fixed key does not, gets the context.
    """
    loading.register_auth_conf_options(CONF, _SERVICE)
    if loading.load_auth_from_conf_options(CONF, _SERVICE) is None:
        return context
    service = CONF[_SERVICE]
    return KeystonePassword(
        service.password,
        auth_url=service.auth_url,
        username=service.username,
        user_domain_name=service.user_domain_name,
        project_id=project,
    )
