# SPDX-License-Identifier: Apache-2.0
"""Volumes from a real Glance's images: downloaded once, cloned for projects that may see them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack.exceptions import BadRequestException

from datera_volume.connection import TLS, AppInstance, Cluster, ClusterSettings
from demo.servers.cinder_conf import VOLUME_BACKEND
from demo.servers.processes import Servers
from demo.waiting import until
from tests.services.stack.image_cloud import ImageCloud

SECONDS = 300.0
MIB = 2**20


@pytest.fixture
def images(tmp_path: Path) -> Iterator[ImageCloud]:
    servers = Servers(tmp_path / "log")
    try:
        started = ImageCloud(tmp_path, servers)
        started.start()
        yield started
    finally:
        servers.stop()


def kept(cloud: ImageCloud) -> dict[str, AppInstance]:
    """The app instances on the cluster, by name."""
    array = cloud.array
    assert array is not None
    tls = TLS(verify=True, ca_bundle=array.ca_bundle)
    settings = ClusterSettings(array.host, array.username, array.password, port=array.port, tls=tls)
    with contextlib.closing(Cluster(settings)) as cluster:
        return {ai.name: ai for ai in cluster.tenant().app_instances()}


def begin_with(cloud: ImageCloud, data: bytes) -> int:
    """The number of volumes on the cluster that begin with these bytes."""
    found = 0
    for path in (cloud.directory / VOLUME_BACKEND).rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                found += file.read(len(data)) == data
    return found


def volume_of(connection: Any, image: Any) -> Any:
    """Create a volume from an image, whatever its final status."""
    storage = connection.block_storage
    made = storage.create_volume(
        name="from an image", size=1, image_id=image.id, volume_type=VOLUME_BACKEND
    )
    ended = lambda: storage.get_volume(made.id).status in {"available", "error"}  # noqa: E731
    until("a volume from an image", ended, seconds=SECONDS)
    return storage.get_volume(made.id)


def test_an_image_is_fetched_once_for_all_who_may_see_it(
    images: ImageCloud, tmp_path: Path
) -> None:
    data = os.urandom(MIB)
    source = tmp_path / "image.raw"
    source.write_bytes(data)
    admin, user = images.connection("demo-admin"), images.connection("demo")
    admin.block_storage.create_type(
        name=VOLUME_BACKEND, extra_specs={"volume_backend_name": VOLUME_BACKEND}
    )
    image = admin.image.create_image(
        name="small", filename=str(source), disk_format="raw", container_format="bare",
        visibility="public", wait=True,
    )  # fmt: skip
    volumes = [volume_of(one, image) for one in (admin, user)]
    assert [volume.status for volume in volumes] == ["available"] * 2
    name = f"OS-image-{image.id}"
    found = kept(images)
    assert set(found) == {name, *(f"OS-{volume.id}" for volume in volumes)}
    assert begin_with(images, data) == 3
    assert (images.logs / "glance.log").read_text().count(f"/v2/images/{image.id}/file") == 2, (
        "sent once, fetched once"
    )
    before = found[name].descr

    # A changed image is downloaded again.
    admin.image.update_image(image, name="changed")
    assert volume_of(admin, image).status == "available"
    assert kept(images)[name].descr != before

    # A private image is neither visible to another project nor cloned for it.
    admin.image.update_image(image, visibility="private")
    assert volume_of(admin, image).status == "available"
    with pytest.raises(BadRequestException, match="unable to access requested image"):
        volume_of(user, image)
