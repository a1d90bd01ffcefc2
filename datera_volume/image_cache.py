# SPDX-License-Identifier: Apache-2.0
"""The driver's part that clones volumes from images kept on the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cinder import coordination, exception
from cinder.image import image_utils
from cinder.volume import volume_utils
from oslo_log import log as logging

from datera_volume import attachment, images, provisioning
from datera_volume.backend import Backend
from datera_volume.connection import DateraError, NotOnCluster, Tenant
from datera_volume.policies import BadPolicy

LOG = logging.getLogger(__name__)

Update = dict[str, Any]


class ImageCache(Backend):
    """Volumes from images."""

    def clone_image(
        self,
        context: Any,
        volume: Any,
        image_location: Any,
        image_meta: dict[str, Any],
        image_service: Any,
    ) -> tuple[Update, bool]:
        """Clone a volume from an image that is kept, which is fetched first where it is not.

        One at a time for each image and tenant, on all hosts of this cloud. Where an image cannot
        be kept, or not be fetched, Cinder makes the volume as it does without a cache.

        :returns: what Cinder must keep of the volume, and whether it was made.
        """
        if not self.settings.image_cache:
            return {}, False
        image = images.image_in(image_meta, volume.project_id)
        if image is None or image.size_gib > volume.size:
            LOG.debug("Image %s is not cloned for volume %s", image_meta.get("id"), volume.id)
            return {}, False
        with self._doing("Cloning volume %s from an image", volume.id):
            tenant = self._tenant_made(volume)
            with coordination.COORDINATOR.get_lock(f"datera-{image.name}-{tenant.path}"):
                if images.kept(tenant, image) is None and not self._fetched(
                    context, tenant, image, volume, image_service
                ):
                    return {}, False
                ai = provisioning.copy_volume(tenant, self._wanted(volume), image.id)
            self._note(tenant, ai, volume)
            return {}, True

    def _fetched(
        self, context: Any, tenant: Tenant, image: images.Image, volume: Any, image_service: Any
    ) -> bool:
        """Fetch an image into a copy of its own; whether that worked. Else nothing is left."""
        type_id = self.settings.image_cache_type or volume.volume_type_id
        try:
            ai = images.begun(tenant, image, self._types.policies(type_id))
        except (DateraError, BadPolicy, exception.CinderException) as exc:
            LOG.warning("Image %s could not be kept on the cluster: %s", image.id, exc)
            return False
        try:
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
            LOG.warning("Image %s could not be kept on the cluster: %s", image.id, exc)
            try:
                tenant.delete_app_instance(ai)
            except NotOnCluster:
                LOG.debug("The copy of image %s is gone already", image.id)
            except DateraError as failure:
                # Without its mark nobody takes it for complete: the next attempt deletes it.
                LOG.warning("An incomplete copy of image %s is left: %s", image.id, failure)
            return False
        return True

    @contextmanager
    def _device_of(self, tenant: Tenant, image_id: str) -> Iterator[str]:
        """Attach an image's copy to this host inside, and yield the device's path."""
        configured = self.configuration
        connector = volume_utils.brick_get_connector_properties(
            configured.use_multipath_for_image_xfer, configured.enforce_multipath_for_image_xfer
        )
        target = attachment.attach(tenant, image_id, connector, chap=self.settings.chap)
        try:
            attached = self._connect_device(target)
            try:
                yield attached["device"]["path"]
            finally:
                attached["connector"].disconnect_volume(
                    target["data"], attached["device"], force=True, ignore_errors=False
                )
        finally:
            attachment.detach(tenant, image_id, connector["initiator"])
