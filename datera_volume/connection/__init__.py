# SPDX-License-Identifier: Apache-2.0
"""The connection layer: the only place that touches the Datera SDK, shared by both drivers.

This is all of it that drivers use: what lies below may change without them.
"""

from datera_volume.connection.cluster import Cluster
from datera_volume.connection.dialect import API_VERSIONS, Dialect
from datera_volume.connection.errors import (
    AbsenceUnproven,
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
    TenantMissing,
    UnexpectedAnswer,
    VersionNotOffered,
    chain_of,
)
from datera_volume.connection.leases import release_lock
from datera_volume.connection.names import NAME_RULE, fold_iqn, is_name, is_reference
from datera_volume.connection.polling import growing_intervals
from datera_volume.connection.resources import absence
from datera_volume.connection.resources.absence import LISTINGS as ABSENCE_LISTINGS
from datera_volume.connection.resources.access import CHAP_SECRET_LENGTHS
from datera_volume.connection.resources.iscsi import first as first_portal
from datera_volume.connection.resources.iscsi import target_properties
from datera_volume.connection.resources.model import (
    AppInstance,
    NewAppInstance,
    Snapshot,
    SourceKind,
    StorageInstance,
    StorageInstanceRef,
    SystemInfo,
    Volume,
    VolumeRef,
)
from datera_volume.connection.resources.tenant import Tenant
from datera_volume.connection.settings import TLS, ClusterSettings, OptionNames
from datera_volume.connection.tenancy import BadTenant, configured_tenant
from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.paths import ROOT, last_segment, tenant_path

__all__ = [
    "ABSENCE_LISTINGS",
    "API_VERSIONS",
    "CHAP_SECRET_LENGTHS",
    "NAME_RULE",
    "ROOT",
    "TLS",
    "AbsenceUnproven",
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
    "SourceKind",
    "StorageInstance",
    "StorageInstanceRef",
    "SystemInfo",
    "Tenant",
    "TenantMissing",
    "UnexpectedAnswer",
    "VersionNotOffered",
    "Volume",
    "VolumeRef",
    "absence",
    "chain_of",
    "configured_tenant",
    "first_portal",
    "fold_iqn",
    "growing_intervals",
    "is_name",
    "is_reference",
    "last_segment",
    "release_lock",
    "target_properties",
    "tenant_path",
    "tracing",
]
