# SPDX-License-Identifier: Apache-2.0
"""Certificates are made once, and their keys stay private."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from datera_emulator.certificates import certificates_in


def test_certificates_are_made_once(tmp_path: Path) -> None:
    first = certificates_in(tmp_path / "state")
    content = first.certificate.read_bytes()
    assert certificates_in(tmp_path / "state") == first
    assert first.certificate.read_bytes() == content
    assert first.key.stat().st_mode & 0o777 == 0o600
    first.server_context()


def test_the_bundle_verifies_the_leaf_and_holds_no_key(tmp_path: Path) -> None:
    made = certificates_in(tmp_path)
    assert b"PRIVATE" not in made.ca_bundle.read_bytes()
    assert ssl.create_default_context(cafile=str(made.ca_bundle)).get_ca_certs()
    authority = x509.load_pem_x509_certificate(made.ca_bundle.read_bytes())
    leaf = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    leaf.verify_directly_issued_by(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert "127.0.0.1" in map(str, names.get_values_for_type(x509.IPAddress))
