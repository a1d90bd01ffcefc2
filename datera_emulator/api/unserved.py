# SPDX-License-Identifier: Apache-2.0
"""What an array serves and the emulator does not, so that a refusal can say which it is."""

from __future__ import annotations

import re

# As documented; ``:`` stands for one segment. Paths below them are not served either.
UNSERVED = (
    "/app_instances/:/storage_instances/:/metadata",
    "/audit_logs",
    "/event_logs",
    "/events",
    "/fault_logs",
    "/health_attrs",
    "/init",
    "/metadata",
    "/metrics",
    "/monitoring",
    "/policyadm",
    "/privileges",
    "/remote_providers",
    "/storage_nodes/:/boot_drives",
    "/storage_nodes/:/flash_devices",
    "/storage_nodes/:/hdds",
    "/storage_nodes/:/nics",
    "/storage_nodes/:/subsystem_states",
    "/system/dns",
    "/system/http_proxy",
    "/system/network",
    "/system/ntp_servers",
    "/system/snmp_policy",
    "/system/version_config",
    "/time",
    "/upgrade",
)
_PATTERN = re.compile(
    "|".join(f"{path.replace(':', '[^/]+')}(?:/.*)?" for path in UNSERVED),
)


def is_unserved(path: str) -> bool:
    """Return whether arrays have something at a path and the emulator has not."""
    return _PATTERN.fullmatch(path.rstrip("/")) is not None
