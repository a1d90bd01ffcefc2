# SPDX-License-Identifier: Apache-2.0
"""An emulated cluster, and a Cinder whose volume backend is on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator
from datera_emulator.application import Application
from datera_volume.connection import TLS, Cluster, ClusterSettings
from tests.fixtures.datera.api_version import API_VERSION

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

IQN = "iqn.1994-05.com.redhat:{}"

StartEmulator = Callable[..., Emulator]
Connect = Callable[..., Cluster]


@pytest.fixture
def start_emulator(tmp_path: Path) -> Iterator[StartEmulator]:
    """Start an emulator with these keywords; it stops after the test."""
    with ExitStack() as running:

        def start(**keywords: Any) -> Emulator:
            state = tmp_path / f"array{len(list(tmp_path.glob('array*')))}"
            return running.enter_context(Emulator(state_dir=state, **keywords))

        yield start


@pytest.fixture
def emulator(start_emulator: StartEmulator) -> Emulator:
    return start_emulator()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A connection to an emulator; keywords are further settings."""
    with ExitStack() as running:

        def connect(emulator: Emulator, **settings: Any) -> Cluster:
            usual: dict[str, Any] = {
                "port": emulator.https_port,
                "tls": TLS(verify=True, ca_bundle=emulator.ca_bundle),
                "busy_timeout": 10.0,
                "busy_interval": 0.1,
                "api_version": API_VERSION,
            }
            cluster = Cluster(
                ClusterSettings(
                    "127.0.0.1", emulator.username, emulator.password, **{**usual, **settings}
                )
            )
            running.callback(cluster.close)
            return cluster

        yield connect


@pytest.fixture
def backend(emulator: Emulator) -> str:
    """The lines of cinder.conf's section for the emulated cluster."""
    return f"""\
volume_driver = datera_volume.driver.DateraDriver
san_ip = 127.0.0.1
san_login = {emulator.username}
san_password = {emulator.password}
datera_api_port = {emulator.https_port}
driver_ssl_cert_verify = True
driver_ssl_cert_path = {emulator.ca_bundle}
datera_503_timeout = 10
datera_503_interval = 1
"""


@pytest.fixture
def start_datera(
    start_cinder: Callable[..., CinderService], backend: str
) -> Callable[..., CinderService]:
    """Start a Cinder on the emulated cluster; ``lines`` are added to the backend's section."""

    def start(lines: str = "", **options: Any) -> CinderService:
        return start_cinder(backend=backend + lines, section="datera", **options)

    return start


class Hosts:
    """What Nova does for its hosts: attachments of volumes, by Cinder's own API."""

    def __init__(self, service: CinderService) -> None:
        self._service = service

    @staticmethod
    def connector(host: str, **fields: Any) -> dict[str, Any]:
        """What a host says of itself."""
        return {"initiator": IQN.format(host), "host": host, "multipath": False, **fields}

    def attach(self, volume: Any, host: str, **fields: Any) -> Any:
        """Attach the volume to a host; the attachment with its connection info."""
        service = self._service
        reserved = service.volumes.attachment_create(
            service.context, service.volume(volume.id), None, connector=None
        )
        service.volumes.attachment_update(
            service.context, reserved, self.connector(host, mountpoint="/dev/vdb", **fields)
        )
        # What the API's controller does when the host says that it is done.
        attachment, volume = self._read(reserved.id), service.volume(volume.id)
        attachment.update({"attach_status": "attached"})
        attachment.save()
        volume.update({"status": "in-use", "attach_status": "attached"})
        volume.save()
        return self._read(reserved.id)

    def detach(self, attachment: Any) -> None:
        """Detach again."""
        service = self._service
        service.volumes.attachment_delete(service.context, self._read(attachment.id))

    def _read(self, attachment_id: str) -> Any:
        from cinder import objects

        return objects.VolumeAttachment.get_by_id(self._service.context, attachment_id)


@pytest.fixture
def hosts() -> type[Hosts]:
    return Hosts


@pytest.fixture
def stored(emulator: Emulator) -> Callable[[Any], Any]:
    """What the emulated cluster holds of a volume: its one app instance."""

    def stored(volume: Any) -> Any:
        found = [
            ai
            for ai in emulator.cluster.app_instances.values()
            if ai.name.endswith(f"-{volume.id}")
        ]
        assert len(found) == 1, [ai.name for ai in emulator.cluster.app_instances.values()]
        return found[0]

    return stored


def without(document: Any, field: str) -> Any:
    """The same with this field nowhere in it."""
    if isinstance(document, dict):
        return {key: without(value, field) for key, value in document.items() if key != field}
    if isinstance(document, list):
        return [without(item, field) for item in document]
    return document


@pytest.fixture
def silent_about(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Let the cluster's answers lack a field, for as long as a block."""

    @contextmanager
    def silent(field: str) -> Iterator[None]:
        serve = Application._serve

        def lacking(application: Application, request: Any) -> Any:
            answer = serve(application, request)
            return type(answer)(answer.status, without(answer.body, field), answer.content_type)

        with monkeypatch.context() as patched:
            patched.setattr(Application, "_serve", lacking)
            yield

    return silent
