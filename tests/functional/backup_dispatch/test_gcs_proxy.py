# SPDX-License-Identifier: Apache-2.0
"""The GCS driver's proxy is its own: the real driver and its library; PySocks has a stand-in."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import httplib2
import pytest
import requests.utils
from oslo_config import cfg

from backup_dispatch.backends.configured import Backend, configured, load
from backup_dispatch.errors import ConfigurationInvalid
from backup_dispatch.process import this_process
from tests.fixtures.backends.gcs_service import GcsService

DISPATCHER = "backup_driver = backup_dispatch.driver.BackupDispatcher"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


class ProxiedSocket(socket.socket):
    """What PySocks gives httplib2; it notes where it should go, and goes nowhere."""

    asked: ClassVar[list[tuple[Any, ...]]] = []

    def setproxy(self, _kind: int, host: str, port: int, *_more: Any) -> None:
        self._proxy = host, port

    def connect(self, address: Any) -> None:
        self.asked.append((*self._proxy, *address))
        raise ConnectionRefusedError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Proxy and address of each connection that went through a proxy."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(httplib2, "socks", SimpleNamespace(socksocket=ProxiedSocket))
    monkeypatch.setattr(ProxiedSocket, "asked", [])
    return ProxiedSocket.asked


@pytest.fixture
def gcs_of(start_cinder: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Backend]]:
    """Makes the backend ``gcs``, with its options in a section or in ``[DEFAULT]``."""

    def make(proxy: str, *, section: bool) -> Backend:
        options = GcsService().cinder_options("bucket", tmp_path)
        options += f"\nbackup_gcs_proxy_url = {proxy}\n" if proxy else "\n"
        own = f"[gcs]\nbackup_driver = gcs\n{options}"
        start_cinder(
            defaults=f"{DISPATCHER}\nenabled_backup_backends = gcs\n{'' if section else options}",
            sections=own if section else "",
        )
        (backend,) = configured(cfg.CONF).enabled
        return backend

    load.cache_clear()
    yield make
    this_process().stop_checking()
    load.cache_clear()


@pytest.mark.parametrize("section", [True, False])
def test_proxy_is_used_by_its_backend_and_nobody_else(
    gcs_of: Callable[..., Backend], asked: list[tuple[Any, ...]], section: bool
) -> None:
    before = dict(os.environ)
    backend = gcs_of("http://127.0.0.1:3128", section=section)
    driver = backend.make(None)
    assert backend.class_path == "cinder.backup.drivers.gcs.GoogleBackupDriver"
    assert dict(os.environ) == before
    assert requests.utils.get_environ_proxies("http://s3.example.com") == {}
    with pytest.raises(ConnectionRefusedError):
        driver.conn._http.http.request("https://127.0.0.2/storage/v1/b")
    # The check of the backend may have been there before.
    assert ("127.0.0.1", 3128, "127.0.0.2", 443) in asked


def test_proxy_without_its_library_is_told(
    gcs_of: Callable[..., Backend], asked: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httplib2, "socks", None)
    backend = gcs_of("http://127.0.0.1:3128", section=False)
    with pytest.raises(ConfigurationInvalid, match=r"^backup_gcs_proxy_url is set, .* PySocks: in"):
        backend.make(None)
    assert not asked


def test_no_proxy_leaves_the_client_to_the_environment(
    gcs_of: Callable[..., Backend], asked: list[tuple[Any, ...]]
) -> None:
    driver = gcs_of("", section=False).make(None)
    assert driver.conn._http.http.proxy_info is httplib2.proxy_info_from_environment
    assert not asked
