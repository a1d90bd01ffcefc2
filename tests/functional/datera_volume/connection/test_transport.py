# SPDX-License-Identifier: Apache-2.0
"""The way to a cluster: TLS, logins, keys that expire, lost answers; over real sockets."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from datera_emulator.state.users import ADMIN, User
from datera_volume import connection
from datera_volume.connection import TLS, Cluster, ClusterSettings, NewAppInstance, NotOnCluster

Connect = Callable[..., Cluster]


def new() -> NewAppInstance:
    return NewAppInstance(name="OS-1", size_gib=1, uuid=str(uuid.uuid4()))


def test_a_certificate_is_verified_against_the_given_authority(
    emulator: Emulator, connect: Connect
) -> None:
    assert connect(emulator).system().sw_version == "3.3.0.0"


def test_a_certificate_that_is_not_trusted_is_refused_at_once(
    emulator: Emulator, connect: Connect
) -> None:
    cluster = connect(emulator, tls=TLS(verify=True), busy_timeout=3600)
    with pytest.raises(connection.CertificateRefused, match=r"127\.0\.0\.1:\d+.*verify failed"):
        cluster.login()
    assert emulator.cluster.counters.requests.total() == 0


def test_a_certificate_of_another_authority_is_refused(
    emulator: Emulator, connect: Connect, start_emulator: Callable[..., Emulator]
) -> None:
    other = start_emulator()
    cluster = connect(emulator, tls=TLS(verify=True, ca_bundle=other.ca_bundle))
    with pytest.raises(connection.CertificateRefused):
        cluster.login()


@pytest.mark.parametrize("secure", [True, False])
def test_without_verification_and_without_tls_it_works_too(
    emulator: Emulator, connect: Connect, secure: bool
) -> None:
    port = emulator.https_port if secure else emulator.http_port
    cluster = connect(emulator, port=port, tls=TLS(enabled=secure))
    assert cluster.system().name


def test_many_requests_go_over_one_connection(emulator: Emulator, connect: Connect) -> None:
    cluster = connect(emulator)
    for _ in range(20):
        cluster.system()
    assert emulator.cluster.counters.connections == 1


def test_a_wrong_password_is_refused_without_showing_it(
    emulator: Emulator, connect: Connect
) -> None:
    cluster = Cluster(
        connection.ClusterSettings(
            "127.0.0.1",
            "admin",
            "wrong-horse-7",
            port=emulator.http_port,
            tls=TLS(enabled=False),
            busy_timeout=3600,
        )
    )
    with pytest.raises(connection.LoginRefused, match=r"127\.0\.0\.1:\d+ refused .* admin") as told:
        cluster.login()
    assert "wrong-horse-7" not in str(told.value)


def test_a_remote_server_vouches_for_the_user_and_the_cluster_itself_does_not(
    start_emulator: Callable[..., Emulator], connect: Connect
) -> None:
    user = User("cinder", "cinder", "ldap-secret-1", roles=[ADMIN])
    array = start_emulator(directories={"ldap.example": [user]})
    settings = ClusterSettings(
        "127.0.0.1",
        "cinder",
        "ldap-secret-1",
        port=array.https_port,
        tls=TLS(verify=True, ca_bundle=array.ca_bundle),
        busy_timeout=0,
    )
    with closing(Cluster(replace(settings, ldap_server="ldap.example"))) as cluster:
        assert cluster.system().name
    with (
        closing(Cluster(settings)) as cluster,
        pytest.raises(connection.LoginRefused, match="user cinder"),
    ):
        cluster.system()


def test_an_expired_key_is_renewed_once_for_many_threads(
    emulator: Emulator, connect: Connect
) -> None:
    cluster = connect(emulator)
    cluster.login()
    emulator.cluster.counters.reset()
    emulator.cluster.tokens.revoke_all()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _n: cluster.system(), range(8)))
    assert emulator.cluster.counters.of("PUT", "/login") == 1


@pytest.mark.parametrize("applied", [True, False])
def test_a_create_whose_answer_is_lost_makes_exactly_one(
    emulator: Emulator, connect: Connect, applied: bool
) -> None:
    tenant = connect(emulator).tenant()
    emulator.faults.drop(method="POST", path="/app_instances", applied=applied)
    assert tenant.create_app_instance(new()).name == "OS-1"
    assert len(emulator.cluster.app_instances) == 1


@pytest.mark.parametrize("fault", ["html", "empty"])
def test_a_create_with_an_unreadable_answer_makes_exactly_one(
    emulator: Emulator, connect: Connect, fault: str
) -> None:
    tenant = connect(emulator).tenant()
    if fault == "html":
        emulator.faults.html(502, method="POST", path="/app_instances", applied=True)
    else:
        emulator.faults.empty(method="POST", path="/app_instances")
    assert tenant.create_app_instance(new()).name == "OS-1"
    assert len(emulator.cluster.app_instances) == 1


@pytest.mark.parametrize("applied", [True, False])
def test_a_snapshot_whose_answer_is_lost_is_taken_exactly_once(
    emulator: Emulator, connect: Connect, applied: bool
) -> None:
    tenant = connect(emulator).tenant()
    volume = tenant.create_app_instance(new()).volume
    emulator.faults.drop(method="POST", path=".*/snapshots", applied=applied)
    taken = tenant.snapshot(volume, str(uuid.uuid4()))
    assert [s.uuid for s in tenant.snapshots(volume)] == [taken.uuid]


def test_a_delete_whose_answer_is_lost_is_told_as_not_found(
    emulator: Emulator, connect: Connect
) -> None:
    tenant = connect(emulator).tenant()
    made = tenant.create_app_instance(new())
    emulator.faults.drop(method="DELETE", applied=True)
    with pytest.raises(NotOnCluster):
        tenant.delete_app_instance(made)
    assert emulator.cluster.app_instances == {}


def test_a_busy_cluster_is_asked_again(emulator: Emulator, connect: Connect) -> None:
    cluster = connect(emulator)
    emulator.faults.busy(3, path="/system")
    assert cluster.system().name
    emulator.faults.busy(3, method="POST", path="/app_instances")
    cluster.tenant().create_app_instance(new())
    assert len(emulator.cluster.app_instances) == 1


def test_the_sdks_own_calls_go_over_this_session_too(emulator: Emulator, connect: Connect) -> None:
    cluster = connect(emulator)
    cluster.tenant("/root/cloud").ensure()
    sdk = cluster._session
    made = sdk.create_entity("/app_instances", {"name": "OS-1", "tenant": "/root/cloud"})
    assert made["tenant"] == "/root/cloud"
    assert sdk.read_endpoint("/app_instances", {"tenant": "/root"}) == []
    (listed,) = sdk.read_endpoint("/app_instances", {"tenant": "/root/cloud"})
    assert listed["id"] == made["id"]
    sdk.update_entity(made["path"], {"admin_state": "offline", "tenant": "/root/cloud"})
    sdk.delete_entity(made["path"], {"tenant": "/root/cloud"})
    with pytest.raises(connection.NotOnCluster):
        sdk.read_entity(made["path"], {"tenant": "/root/cloud"})
    assert emulator.cluster.counters.connections == 1


def test_nothing_is_written_to_the_disk(
    emulator: Emulator, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "here"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("HOME", str(empty))
    monkeypatch.setenv("TMPDIR", str(empty))
    cluster: Any = connect(emulator)
    cluster.tenant().create_app_instance(new())
    assert list(empty.iterdir()) == []
