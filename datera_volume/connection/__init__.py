# SPDX-License-Identifier: Apache-2.0
"""The connection layer: the only place that touches the Datera SDK, shared by both drivers."""

from datera_volume.connection.cluster import Cluster
from datera_volume.connection.dialect import API_VERSIONS, Dialect
from datera_volume.connection.errors import (
    AlreadyOnCluster,
    CertificateRefused,
    ClusterBusy,
    ClusterFault,
    ClusterUnreachable,
    DateraError,
    LimitReached,
    LoginRefused,
    NotOnCluster,
    NotReadyInTime,
    OutcomeUnknown,
    PermissionRefused,
    RequestInvalid,
    RequestRefused,
    Retriable,
    SdkMissing,
    SessionEnded,
    UnexpectedAnswer,
    VersionNotOffered,
)
from datera_volume.connection.model import (
    AppInstance,
    NewAppInstance,
    Snapshot,
    StorageInstance,
    StorageInstanceRef,
    SystemInfo,
    Volume,
    VolumeRef,
)
from datera_volume.connection.settings import TLS, ClusterSettings, OptionNames
from datera_volume.connection.tenancy import BadTenant, configured_tenant
from datera_volume.connection.tenant import Tenant

__all__ = [
    "API_VERSIONS",
    "TLS",
    "AlreadyOnCluster",
    "AppInstance",
    "BadTenant",
    "CertificateRefused",
    "Cluster",
    "ClusterBusy",
    "ClusterFault",
    "ClusterSettings",
    "ClusterUnreachable",
    "DateraError",
    "Dialect",
    "LimitReached",
    "LoginRefused",
    "NewAppInstance",
    "NotOnCluster",
    "NotReadyInTime",
    "OptionNames",
    "OutcomeUnknown",
    "PermissionRefused",
    "RequestInvalid",
    "RequestRefused",
    "Retriable",
    "SdkMissing",
    "SessionEnded",
    "Snapshot",
    "StorageInstance",
    "StorageInstanceRef",
    "SystemInfo",
    "Tenant",
    "UnexpectedAnswer",
    "VersionNotOffered",
    "Volume",
    "VolumeRef",
    "configured_tenant",
]
