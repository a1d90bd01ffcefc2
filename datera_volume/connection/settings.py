# SPDX-License-Identifier: Apache-2.0
"""Connection settings of one cluster, validated on construction."""

from __future__ import annotations

from dataclasses import dataclass, field

from datera_volume.connection.dialect import API_VERSIONS

HTTP_PORT = 7717
HTTPS_PORT = 7718


@dataclass(frozen=True)
class TLS:
    """How the connection is secured.

    :param enabled: speak HTTPS.
    :param verify: refuse a certificate that is not trusted.
    :param ca_bundle: file or directory with trusted CA certificates; the system's where None.
    :param client_cert: file with the client certificate.
    :param client_key: file with its private key, unless it is in the same file.
    """

    enabled: bool = True
    verify: bool = False
    ca_bundle: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


@dataclass(frozen=True)
class OptionNames:
    """Prefixes of the option names that messages tell an operator to set.

    :param tls: prefix of the TLS options.
    :param own: prefix of the other options.
    """

    tls: str = "driver_"
    own: str = "datera_"


@dataclass(frozen=True)
class ClusterSettings:
    """One cluster, one user.

    :param host: name or address of the management interface, without a port.
    :param api_version: ``2.1``, ``2.2`` or ``2.3``; a leading ``v`` is accepted.
    :param port: None and 7717 mean the protocol's own (7718 with TLS); any other is literal.
    :param busy_timeout: seconds to retry while the cluster is busy or unreachable.
    :param busy_interval: seconds between two such attempts.
    :param connect_timeout: seconds for one attempt to connect.
    :param read_timeout: seconds without data after which a response is given up.
    :param response_timeout: seconds after which it is, even if data still comes.
    :param driver_header: name of this client in the cluster's logs.
    :param names: names of the options that these values come from.
    :raises ValueError: a value is invalid; the message names it.
    """

    host: str
    username: str
    password: str = field(repr=False)
    api_version: str = "2.2"
    port: int | None = None
    tls: TLS = TLS()
    ldap_server: str | None = None
    busy_timeout: float = 120.0
    busy_interval: float = 5.0
    connect_timeout: float = 10.0
    read_timeout: float = 120.0
    response_timeout: float = 600.0
    driver_header: str = "OpenStack-Cinder"
    names: OptionNames = OptionNames()

    def __post_init__(self) -> None:
        if not self.host or any(c.isspace() or c in "/@?#\\" for c in self.host):
            raise ValueError(f"{self.host!r} is not a valid host name or address")
        if not self.username or not self.password:
            raise ValueError(f"a user name and a password are required for the cluster {self.host}")
        if self.api_version.lstrip("v") not in API_VERSIONS:
            raise ValueError(
                f"API version {self.api_version!r} is not supported; "
                f"supported are {', '.join(API_VERSIONS)}"
            )
        for name in ("busy_timeout", "busy_interval"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        for name in ("connect_timeout", "read_timeout", "response_timeout"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0 seconds")

    @property
    def scheme(self) -> str:
        """``https``, or ``http`` where TLS is off."""
        return "https" if self.tls.enabled else "http"

    @property
    def effective_port(self) -> int:
        """The port that is really used."""
        standard = HTTPS_PORT if self.tls.enabled else HTTP_PORT
        return standard if self.port in (None, HTTP_PORT) else int(self.port or standard)

    @property
    def address(self) -> str:
        """Host and port as they stand in a URL and in messages."""
        host = f"[{self.host}]" if ":" in self.host and "[" not in self.host else self.host
        return f"{host}:{self.effective_port}"

    @property
    def version(self) -> str:
        """The API version as it stands in a URL: ``v2.2``."""
        return "v" + self.api_version.lstrip("v")
