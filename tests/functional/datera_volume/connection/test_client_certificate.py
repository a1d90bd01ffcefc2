# SPDX-License-Identifier: Apache-2.0
"""A cluster that asks its clients for a certificate."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from datera_emulator import Emulator
from datera_emulator.application import Application
from datera_emulator.certificates import certificates_in
from datera_emulator.server import RestServer
from datera_volume.connection import TLS, CertificateRefused, Cluster

Connect = Callable[..., Cluster]


class ClientCertificate:
    """One that signed itself, as files: certificate, key, and both in one."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "client.pem"
        self.key = directory / "client.key"
        self.both = directory / "both.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cinder")])
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .sign(key, hashes.SHA256())
        )
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.both.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())


@pytest.fixture
def ours(tmp_path: Path) -> ClientCertificate:
    return ClientCertificate(tmp_path)


@pytest.fixture
def port(emulator: Emulator, ours: ClientCertificate) -> Iterator[int]:
    """A port of the cluster at which nobody is served without our certificate."""
    context = certificates_in(emulator.state_dir).server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ours.certificate)
    # From 1.3 on the refusal comes after the handshake, and may be lost with the connection.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    server = RestServer("127.0.0.1", 0, Application(emulator.cluster, emulator.faults), context)
    server.start()
    yield server.port
    server.stop()


@pytest.mark.parametrize("in_one_file", [True, False])
def test_a_client_certificate_is_shown(
    emulator: Emulator, connect: Connect, port: int, ours: ClientCertificate, in_one_file: bool
) -> None:
    tls = TLS(
        verify=True,
        ca_bundle=emulator.ca_bundle,
        client_cert=str(ours.both if in_one_file else ours.certificate),
        client_key=None if in_one_file else str(ours.key),
    )
    assert connect(emulator, port=port, tls=tls).system().name


def test_without_one_the_refusal_is_told_at_once_with_the_option(
    emulator: Emulator, connect: Connect, port: int
) -> None:
    cluster = connect(
        emulator,
        port=port,
        tls=TLS(verify=True, ca_bundle=emulator.ca_bundle),
        busy_timeout=1.0,
        busy_interval=0.5,
    )
    with pytest.raises(CertificateRefused, match=r"set driver_client_cert"):
        cluster.login()
    assert emulator.cluster.counters.requests.total() == 0


def test_another_name_is_refused_at_once(
    emulator: Emulator, connect: Connect, port: int, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = ClientCertificate(tmp_path / "other")
    tls = TLS(verify=True, ca_bundle=emulator.ca_bundle, client_cert=str(other.both))
    cluster = connect(emulator, port=port, tls=tls, busy_timeout=1.0, busy_interval=0.5)
    with pytest.raises(CertificateRefused):
        cluster.login()
