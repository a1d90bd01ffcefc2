# SPDX-License-Identifier: Apache-2.0
"""The image cache: volumes cloned from images on the cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cinder import context as cinder_context
from cinder import exception, objects
from cinder.common import constants
from cinder.image import image_utils
from cinder.volume import volume_utils
from oslo_log import log as logging

from datera_volume.connection import AppInstance, DateraError, NotOnCluster, Tenant
from datera_volume.features import glance, locks, removable_locks
from datera_volume.features.base import VolumeBackendBase
from datera_volume.operations import host_access, image_removal, images, provisioning
from datera_volume.policies import BadPolicy

LOG = logging.getLogger(__name__)

Update = dict[str, Any]

FETCH_SECONDS = 14400.0
"""How long others may take to fetch an image before a volume is created as without a cache."""


class ImageCacheFeature(VolumeBackendBase):
    """Clones volumes from cached images."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._told: set[str] = set()

    def clone_image(
        self,
        context: Any,
        volume: Any,
        image_location: Any,
        image_meta: dict[str, Any],
        image_service: Any,
    ) -> tuple[Update, bool]:
        """Clone a volume from a cached image, which is fetched first if necessary.

        One at a time for each image and tenant, on all hosts of this cloud. Where an image cannot
        be cached or fetched, Cinder creates the volume as without a cache.

        :returns: the model update, and whether the volume was created.
        """
        if not self.settings.image_cache:
            return {}, False
        image = images.cacheable_image(image_meta, volume.project_id)
        if image is None or image.size_gib > volume.size:
            LOG.debug("Image %s is not cloned for volume %s", image_meta.get("id"), volume.id)
            return {}, False
        with self._operation("Cloning volume %s from an image", volume.id):
            tenant = self._ensured_tenant(volume)
            lock = _lock_name(tenant, image.name)
            with removable_locks.held(lock, FETCH_SECONDS) as free:
                if not free:
                    LOG.warning(
                        "Image %s has been fetched by others for %d s: volume %s is created "
                        "without it",
                        image.id,
                        FETCH_SECONDS,
                        volume.id,
                    )
                    return {}, False
                fetching = images.cached(tenant, image) is None
                if fetching and not self._fetched(context, tenant, image, volume, image_service):
                    removable_locks.remove(lock)
                    return {}, False
                ai = provisioning.copy_volume(tenant, self._volume_request(volume), image.id)
            self._write_metadata(tenant, ai, volume)
            if fetching:
                self._remove_outdated(context, tenant, image, image_service)
            return self._model_update(tenant), True

    def _fetched(
        self, context: Any, tenant: Tenant, image: images.Image, volume: Any, image_service: Any
    ) -> bool:
        """Fetch an image into a new cached copy, or leave nothing; whether that worked."""
        type_id = self.settings.image_cache_type or volume.volume_type_id
        try:
            ai = images.create_incomplete(tenant, image, self._types.policies(type_id))
        except (DateraError, BadPolicy, exception.CinderException) as exc:
            LOG.warning("Image %s could not be cached on the cluster: %s", image.id, exc)
            return False
        try:
            self._write_maker(tenant, ai)
            with self._device_of(tenant, image.id) as path:
                image_utils.fetch_to_raw(
                    context,
                    image_service,
                    image.id,
                    path,
                    self.configuration.volume_dd_blocksize,
                    size=image.size_gib,
                )
            tenant.describe(ai, image.mark)
        except Exception as exc:
            LOG.warning("Image %s could not be cached on the cluster: %s", image.id, exc)
            try:
                tenant.delete_app_instance(ai)
            except NotOnCluster:
                LOG.debug("The copy of image %s does not exist any more", image.id)
            except DateraError as failure:
                # Without its final description it is incomplete: the next attempt deletes it.
                LOG.warning("An incomplete copy of image %s is left: %s", image.id, failure)
            return False
        return True

    def _write_maker(self, tenant: Tenant, ai: AppInstance) -> None:
        maker = self._maker()
        if maker is None:
            return
        try:
            tenant.update_metadata(ai, {image_removal.MADE_BY: maker})
        except DateraError as exc:
            LOG.warning(
                "The creator of %s could not be recorded, so it will not be removed: %s",
                ai.name,
                exc,
            )

    def _maker(self) -> str | None:
        """The uuid of this backend's service, which differs between Cinder installations."""
        try:
            return str(
                objects.Service.get_by_args(
                    cinder_context.get_admin_context(), self.host, constants.VOLUME_BINARY
                ).uuid
            )
        except exception.ServiceNotFound:
            return None

    def _remove_outdated(
        self, context: Any, tenant: Tenant, image: images.Image, image_service: Any
    ) -> None:
        """Delete some copies of deleted images; errors are logged only."""
        try:
            maker, asking = self._maker(), glance.seeing_all(context)
            if maker is None or asking is None:
                self._tell_once(
                    "Copies of deleted images are kept: there is no context that sees every image"
                )
                return
            outdated = image_removal.outdated(
                tenant, maker, image, lambda one: glance.shown(image_service, asking, one)
            )
        except Exception as exc:
            LOG.info("Copies of images in %s are not checked now: %s", tenant.path, exc)
            return
        for ai in outdated:
            lock = _lock_name(tenant, ai.name)
            with removable_locks.held_if_free(lock) as free:
                if free and self._removed(tenant, ai):
                    removable_locks.remove(lock)

    def _removed(self, tenant: Tenant, ai: AppInstance) -> bool:
        """Delete a copy if it is unchanged, with its lock held; whether it is gone."""
        try:
            now = tenant.app_instance(ai.name)
            if (now.id, now.descr) != (ai.id, ai.descr) or not image_removal.unused(now):
                return False
            tenant.delete_app_instance(now)
            LOG.info("Deleted %s: the image was deleted from Glance, or changed", ai.name)
        except NotOnCluster:
            LOG.debug("%s is gone already", ai.name)
        except DateraError as exc:
            self._tell_once(f"{ai.name} is outdated and could not be deleted: {exc}", ai.name)
            return False
        return True

    def _tell_once(self, text: str, about: str = "") -> None:
        if about not in self._told:
            self._told.add(about)
            LOG.warning(text)

    @contextmanager
    def _device_of(self, tenant: Tenant, image_id: str) -> Iterator[str]:
        """Attach an image's copy to this host while the block runs; yield the device path."""
        configured = self.configuration
        connector = volume_utils.brick_get_connector_properties(
            configured.use_multipath_for_image_xfer, configured.enforce_multipath_for_image_xfer
        )
        initiators = locks.initiators()
        target = host_access.attach(
            tenant, image_id, connector, chap=self.settings.chap, initiators=initiators
        )
        try:
            attached = self._connect_device(target)
            try:
                yield attached["device"]["path"]
            finally:
                attached["connector"].disconnect_volume(
                    target["data"], attached["device"], force=True, ignore_errors=False
                )
        finally:
            left = host_access.detach(tenant, image_id, connector["initiator"])
            initiators.remove_unused(tenant, left)


def _lock_name(tenant: Tenant, name: str) -> str:
    """The name of the lock on an image's copy in one tenant, for all hosts of this cloud.

    The tenant is hashed: the name may become a file name, where a path is not allowed.
    """
    return f"datera-{name}-{hashlib.sha256(tenant.path.encode()).hexdigest()[:32]}"
