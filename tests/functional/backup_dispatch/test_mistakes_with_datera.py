# SPDX-License-Identifier: Apache-2.0
"""What operators do wrong with a Datera cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process
from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.fixtures.mistakes import (
    CLOSED,
    POSIX,
    Mistake,
    Place,
    assert_one_line_each,
    checked,
    only,
)


def options_of(array: Emulator) -> dict[str, Any]:
    """The options of a backend that is up."""
    return {
        "backup_datera_san_ip": "127.0.0.1",
        "backup_datera_san_login": array.username,
        "backup_datera_san_password": array.password,
        "backup_datera_api_port": array.https_port,
        "backup_datera_ssl_cert_verify": True,
        "backup_datera_ssl_cert_path": array.ca_bundle,
    }


def datera(**changed: Any) -> Callable[[Place], str]:
    """A Datera backend with some options changed; what is None is not set."""

    def lines(place: Place) -> str:
        options = {
            **options_of(place.fixture("array")),
            **{f"backup_datera_{k}": v for k, v in changed.items()},
        }
        made = {k: v(place) if callable(v) else v for k, v in options.items()}
        return only("datera", *(f"{k} = {v}" for k, v in made.items() if v is not None))

    return lines


def no_initiator(place: Place) -> None:
    place.patch.setattr(
        "datera_backup.storage.host.iscsi_properties",
        lambda: {"multipath": False, "initiator": None},
    )


def no_blake3(place: Place) -> None:
    place.patch.setitem(sys.modules, "blake3", None)


def http_port(place: Place) -> int:
    return int(place.fixture("array").http_port)


MISTAKES = (
    Mistake(
        "an option of [DEFAULT] that is misspelt",
        datera(ssl_cert_verfy=True),
        ("backup_datera_ssl_cert_verfy", "nearest is backup_datera_ssl_cert_verify"),
        code=2,
    ),
    Mistake(
        "a value out of bounds",
        datera(replica_count=9),
        ("Section [DEFAULT]", "backup_datera_replica_count", "equal to 5", "Correct it"),
    ),
    Mistake(
        "no BLAKE3, which is the default",
        datera(),
        ("pip install blake3", "or set backup_datera_digest = sha256"),
        before=no_blake3,
    ),
    # Datera
    Mistake(
        "an array without a password",
        datera(san_password=None),
        ("needs backup_datera_san_password in section [DEFAULT]", "Set them"),
    ),
    Mistake(
        "an array that is not there",
        datera(api_port=CLOSED),
        ("127.0.0.1:1", "Errno 111", "Correct [DEFAULT] backup_datera_san_ip, backup_datera_api_"),
    ),
    Mistake(
        "the port of Swift",
        datera(use_ssl=False, api_port=lambda place: place.fixture("swift").port),
        ("412 Bad URL", "Correct [DEFAULT] backup_datera_san_ip, backup_datera_api_port or"),
        besides="cleartext",
    ),
    Mistake(
        "an array's wrong password",
        datera(san_password="another-one"),
        ("refused to log in the user admin", "backup_datera_san_login and backup_datera_san_pass"),
    ),
    Mistake(
        "a certificate that nobody knows",
        datera(ssl_cert_path=None),
        ("certificate verify failed", "to [DEFAULT] backup_datera_ssl_cert_path"),
    ),
    Mistake(
        "authorities that are not there",
        datera(ssl_cert_path="/nowhere/ca.pem"),
        ("[DEFAULT] backup_datera_ssl_cert_path", "/nowhere/ca.pem does not exist", "Correct it"),
    ),
    Mistake(
        "TLS to an array's plain port",
        datera(api_port=http_port),
        ("WRONG_VERSION_NUMBER", "backup_datera_use_ssl (now https://127.0.0.1:"),
    ),
    Mistake(
        "no TLS to an array's TLS port",
        datera(use_ssl=False),
        ("closed before a response", "backup_datera_use_ssl (now http://127.0.0.1:"),
        besides="cleartext",
    ),
    Mistake(
        "an array's tenant that is misspelt",
        datera(tenant_id="/root/bakups"),
        ("no tenant /root/bakups", "[DEFAULT] backup_datera_tenant_id", "correct the name"),
        code=0,
    ),
    Mistake(
        "a placement policy that is misspelt",
        datera(placement_policy="defualt"),
        ("[DEFAULT] backup_datera_placement_policy = defualt", "no such policy", "Correct the"),
    ),
    Mistake(
        "no initiator",
        datera(),
        ("no iSCSI initiator", "/etc/iscsi/initiatorname.iscsi", "open-iscsi installed"),
        before=no_initiator,
    ),
)


@pytest.fixture(scope="module")
def array(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(state_dir=tmp_path_factory.mktemp("array")) as running:
        brick.install("iqn.1993-08.org.debian:01:testhost")
        yield running
        brick.uninstall()


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Place]:
    from datera_backup.storage.backend import forget_backends

    yield Place(tmp_path, monkeypatch, request.getfixturevalue)
    this_process().stop_checking()
    forget_backends()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.label)
def test_mistake_is_one_line_of_check_and_one_of_the_log(
    mistake: Mistake, place: Place, start_cinder: Callable[..., Any]
) -> None:
    assert_one_line_each(mistake, place, start_cinder)


def test_tenant_that_is_misspelt_is_not_made_by_check(
    place: Place, start_cinder: Callable[..., Any], array: Emulator
) -> None:
    start_cinder(defaults=f"backup_driver = {POSIX}\n{datera(tenant_id='/root/baks')(place)}")
    code, (_service, told) = checked(place.folder)
    assert code == 1
    assert "no tenant /root/baks" in told
    assert set(array.cluster.tenants) == {"/root"}
