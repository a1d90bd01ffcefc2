# SPDX-License-Identifier: Apache-2.0
"""A cluster that shows another certificate than its own gets neither a password nor a request."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from datera_emulator import Emulator
from datera_emulator.application import Application
from datera_emulator.server import RestServer
from datera_volume.connection import TLS, CertificateRefused, Cluster
from tests.functional.datera_volume.conftest import connect, emulator, start_emulator

__all__ = ["connect", "emulator", "start_emulator"]

Connect = Callable[..., Cluster]
HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("cluster.example")
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Shown:
    """What a server shows."""

    name: x509.GeneralName = HERE
    since: datetime.timedelta = -DAY
    until: datetime.timedelta = DAY
    by_itself: bool = False
    accepted: bool = False


class Authority:
    """Signs certificates of servers."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        own = self._builder(self.name, self.key, -DAY, DAY).add_extension(constraints, True)
        self.certificate = own.sign(self.key, hashes.SHA256())

    def files(self, folder: Path, shown: Shown) -> tuple[Path, Path, Path]:
        """The authority's certificate, a server's, and that one's key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
        builder = self._builder(subject, key, shown.since, shown.until)
        builder = builder.add_extension(x509.SubjectAlternativeName([shown.name]), critical=False)
        made = builder.sign(key if shown.by_itself else self.key, hashes.SHA256())
        paths = folder / "ca.pem", folder / "server.pem", folder / "server.key"
        for path, one in zip(paths, (self.certificate, made), strict=False):
            path.write_bytes(one.public_bytes(serialization.Encoding.PEM))
        paths[2].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return paths

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        since: datetime.timedelta,
        until: datetime.timedelta,
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + since)
            .not_valid_after(now + until)
        )


@pytest.mark.parametrize(
    "shown",
    [
        Shown(accepted=True),
        Shown(ELSEWHERE),
        Shown(since=-3 * DAY, until=-2 * DAY),
        Shown(since=DAY, until=2 * DAY),
        Shown(by_itself=True),
    ],
    ids=["its own", "another name", "expired", "not valid yet", "signed by itself"],
)
def test_certificate_that_is_not_the_clusters_gets_no_request(
    shown: Shown, emulator: Emulator, connect: Connect, tmp_path: Path
) -> None:
    ca, certificate, key = Authority().files(tmp_path, shown)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = RestServer("127.0.0.1", 0, Application(emulator.cluster, emulator.faults), context)
    server.start()
    try:
        # The busy timeout is an hour: it is not waited for, since nothing will change.
        tls = TLS(verify=True, ca_bundle=str(ca))
        cluster = connect(emulator, port=server.port, tls=tls, busy_timeout=3600.0)
        if shown.accepted:
            assert cluster.system().name
            return
        with pytest.raises(CertificateRefused, match=rf"127\.0\.0\.1:{server.port}.*verify failed"):
            cluster.login()
        assert emulator.cluster.counters.requests.total() == 0
    finally:
        server.stop()
