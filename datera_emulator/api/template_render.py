# SPDX-License-Identifier: Apache-2.0
"""How app templates look in the API."""

from __future__ import annotations

from datera_emulator.api import render
from datera_emulator.documents import Document
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.template_model import AppTemplate, StorageTemplate, VolumeTemplate


def storage_template_path(template: AppTemplate, storage: StorageTemplate) -> str:
    """Return a storage template's path."""
    return f"{template.path}/storage_templates/{storage.name}"


def volume_template_path(
    template: AppTemplate, storage: StorageTemplate, volume: VolumeTemplate
) -> str:
    """Return a volume template's path."""
    return f"{storage_template_path(template, storage)}/volume_templates/{volume.name}"


def app_template(cluster: Cluster, template: AppTemplate) -> Document:
    """Return an app template with all that is inside it, and the app instances made from it."""
    return {
        "tenant": template.tenant,
        "path": template.path,
        "name": template.name,
        "descr": template.descr,
        "storage_templates": [
            storage_template(template, one) for one in template.storage_templates.values()
        ],
        "snapshot_policies": render.snapshot_policies(template.path, template.snapshot_policies),
        "app_instances": [
            {"path": f"/app_instances/{one}"}
            for one in cluster.index.made_from(template.tenant, template.name)
        ],
    }


def storage_template(template: AppTemplate, storage: StorageTemplate) -> Document:
    """Return a storage template with its volume templates."""
    path = storage_template_path(template, storage)
    return {
        "path": path,
        "name": storage.name,
        "ip_pool": storage.ip_pool,
        "auth": render.auth(path, storage.auth),
        "volume_templates": [
            volume_template(template, storage, one) for one in storage.volume_templates.values()
        ],
    }


def volume_template(
    template: AppTemplate, storage: StorageTemplate, volume: VolumeTemplate
) -> Document:
    """Return a volume template."""
    path = volume_template_path(template, storage, volume)
    shown: Document = {
        "path": path,
        "name": volume.name,
        "size": volume.size,
        "replica_count": volume.replica_count,
        "placement_mode": volume.placement_mode,
        "snapshot_policies": render.snapshot_policies(path, volume.snapshot_policies),
    }
    if volume.performance_policy is not None:
        shown["performance_policy"] = render.performance_policy(path, volume.performance_policy)
    return shown
