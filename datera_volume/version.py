# SPDX-License-Identifier: Apache-2.0
"""The version of the volume driver: that of the installed distribution."""

from __future__ import annotations

from importlib import metadata

VERSION = metadata.version("backup-dispatch")

# Under this name the cluster's logs show the driver's requests.
DRIVER_HEADER = f"OpenStack-Cinder-{VERSION}"
