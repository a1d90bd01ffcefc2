# SPDX-License-Identifier: Apache-2.0
"""The driver's part that clones volumes from images kept on the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cinder import context as cinder_context
from cinder import coordination, exception, objects
from cinder.common import constants
from cinder.image import image_utils
from cinder.volume import volume_utils
from oslo_log import log as logging

from datera_volume import attachment, image_removal, images, provisioning
from datera_volume.backend import Backend
from datera_volume.connection import AppInstance, DateraError, NotOnCluster, Tenant
from datera_volume.policies import BadPolicy

LOG = logging.getLogger(__name__)

Update = dict[str, Any]


class ImageCache(Backend):
    """Volumes from images."""

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
            with _lock(tenant, image.name):
                fetching = images.kept(tenant, image) is None
                if fetching and not self._fetched(context, tenant, image, volume, image_service):
                    return {}, False
                ai = provisioning.copy_volume(tenant, self._wanted(volume), image.id)
            self._note(tenant, ai, volume)
            if fetching:
                self._remove_outdated(context, tenant, image, image_service)
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
            self._note_maker(tenant, ai)
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

    def _note_maker(self, tenant: Tenant, ai: AppInstance) -> None:
        maker = self._maker()
        if maker is None:
            return
        try:
            tenant.annotate(ai, {image_removal.MADE_BY: maker})
        except DateraError as exc:
            LOG.warning("Who has made %s is not noted, so nobody will remove it: %s", ai.name, exc)

    def _maker(self) -> str | None:
        """What this backend is in its Cinder's database; another Cinder has another."""
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
        """Delete some copies of images that are no more; what goes wrong fails nothing."""
        try:
            maker, asking = self._maker(), image_removal.seeing_all(context)
            if maker is None or asking is None:
                self._tell_once("Copies of deleted images stay: nobody to ask Glance as")
                return
            outdated = image_removal.outdated(
                tenant, maker, image, lambda one: image_service.show(asking, one)
            )
        except Exception as exc:
            LOG.info("Copies of images in %s are not looked at now: %s", tenant.path, exc)
            return
        for ai in outdated:
            lock = _lock(tenant, ai.name)
            if not lock.acquire(blocking=False):
                continue
            try:
                now = tenant.app_instance(ai.name)
                if (now.id, now.descr) == (ai.id, ai.descr) and image_removal.unused(now):
                    tenant.delete_app_instance(now)
                    LOG.info("Deleted %s: Glance has that image no more, or another state", ai.name)
            except NotOnCluster:
                LOG.debug("%s is gone already", ai.name)
            except DateraError as exc:
                self._tell_once(f"{ai.name} is of no use and could not be deleted: {exc}", ai.name)
            finally:
                lock.release()

    def _tell_once(self, text: str, about: str = "") -> None:
        if about not in self._told:
            self._told.add(about)
            LOG.warning(text)

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


def _lock(tenant: Tenant, name: str) -> Any:
    """The lock, for all hosts of this cloud, on an image's copy in one tenant."""
    return coordination.COORDINATOR.get_lock(f"datera-{name}-{tenant.path}")
