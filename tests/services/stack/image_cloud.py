# SPDX-License-Identifier: Apache-2.0
"""The cloud of two Datera clusters with a real Glance, and an image cache on the cluster."""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import Any

from demo.cloud import HOST
from demo.servers.cinder_conf import SERVICE_PROJECT, SERVICE_USER, VOLUME_BACKEND
from demo.servers.keystone_server import REGION
from demo.servers.processes import Server
from tests.fixtures.datera.volume_cloud import VolumeCloud
from tests.services.stack.servers.glance_server import write_config


class ImageCloud(VolumeCloud):
    """Keystone, Glance, Cinder and two emulated clusters."""

    glance_url = ""

    def start(self) -> None:
        """Start everything.

        :raises demo.servers.processes.ServerFailed: when a server does not come up.
        """
        super().start()
        self.servers.await_ready(self._glance)
        identity = self.connection("demo-admin").identity
        service = identity.create_service(type="image", name="glance")
        identity.create_endpoint(
            service_id=service.id, interface="public", url=self.glance_url, region_id=REGION
        )

    def more_lines(self) -> dict[str, dict[str, Any]]:
        """Return Cinder's options for Glance, which is launched here, in parallel with Cinder."""
        self._glance = self._launch_glance()
        return {
            "DEFAULT": {"glance_api_servers": self.glance_url},
            VOLUME_BACKEND: {"datera_enable_image_cache": "true"},
        }

    def _launch_glance(self) -> Server:
        directory = self.directory / "glance"
        with contextlib.closing(socket.create_server((HOST, 0), backlog=128)) as listener:
            self.glance_url = f"http://{HOST}:{listener.getsockname()[1]}"
            write_config(
                directory,
                self.glance_url,
                {
                    "www_authenticate_uri": self.keystone_url,
                    "auth_url": self.keystone_url,
                    "auth_type": "password",
                    "username": SERVICE_USER,
                    "password": self.passwords.service,
                    "project_name": SERVICE_PROJECT,
                    "user_domain_id": "default",
                    "project_domain_id": "default",
                },
            )
            program = [sys.executable, "-m", "tests.services.stack.servers.glance_server"]
            descriptor = listener.fileno()
            return self.servers.launch(
                "glance", [*program, str(directory), str(descriptor)], descriptors=[descriptor]
            )
