# SPDX-License-Identifier: Apache-2.0
"""Options become a checked value, or an error that names the line to change."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from backup_dispatch.backends.conf_overlay import Overlay
from datera_backup.container import Codec, Digest
from datera_backup.errors import OptionsInvalid, OptionsMissing
from datera_backup.opts import OPTS, list_opts
from datera_backup.settings import read_settings, refuse_ignored_secondaries

DRIVER = "datera_backup.driver.DateraBackupDriver"
REQUIRED = {
    "backup_datera_san_ip": "192.0.2.7",
    "backup_datera_san_login": "admin",
    "backup_datera_san_password": "s3cret-word",
}


def configuration(tmp_path: Path, **options: Any) -> cfg.ConfigOpts:
    path = tmp_path / "cinder.conf"
    lines = [f"{name} = {value}" for name, value in options.items()]
    path.write_text("\n".join(["[DEFAULT]", *lines]) + "\n")
    conf = cfg.ConfigOpts()
    conf.register_opts(OPTS)
    conf.register_opt(cfg.StrOpt("backup_driver"))
    conf([], default_config_files=[str(path)])
    return conf


def test_defaults_are_accepted(tmp_path: Path) -> None:
    settings = read_settings(configuration(tmp_path, **REQUIRED))
    assert settings.cluster.address == "192.0.2.7:7718"
    assert settings.cluster.tls.enabled
    assert settings.tenant == "/root"
    assert settings.replica_count == 3
    assert settings.placement_mode == "hybrid"
    assert not settings.progress_timer
    assert settings.chunk_size == 2**30
    assert settings.geometry.chunk_size == 256 * settings.geometry.block_size == 16 * 2**20
    assert settings.engine.codec is Codec.ZSTD
    assert settings.geometry.digest is Digest.BLAKE3
    assert settings.engine.workers >= 1


def test_every_option_reaches_its_place(tmp_path: Path) -> None:
    settings = read_settings(
        configuration(
            tmp_path,
            **REQUIRED,
            backup_datera_use_ssl=False,
            backup_datera_api_version="2.1",
            backup_datera_tenant_id="/root/backups",
            backup_datera_503_timeout=7,
            backup_datera_503_interval=2,
            backup_datera_ldap_server="ldap-1",
            backup_datera_ssl_cert_verify=True,
            backup_datera_ssl_cert_path="/ca.pem",
            backup_datera_client_cert="/c.pem",
            backup_datera_client_cert_key="/k.pem",
            backup_datera_chunk_size=2,
            backup_datera_block_size=128,
            backup_datera_compression_algorithm="none",
            backup_datera_workers=3,
            backup_datera_max_concurrency=5,
            backup_datera_container_max_size=99,
            backup_datera_progress_timer=True,
            backup_datera_placement_policy="cold",
        )
    )
    cluster = settings.cluster
    assert cluster.address == "192.0.2.7:7717"
    assert (cluster.busy_timeout, cluster.busy_interval) == (7, 2)
    assert (cluster.version, cluster.ldap_server) == ("v2.1", "ldap-1")
    assert (cluster.tls.verify, cluster.tls.ca_bundle) == (True, "/ca.pem")
    assert (cluster.tls.client_cert, cluster.tls.client_key) == ("/c.pem", "/k.pem")
    assert settings.tenant == "/root/backups"
    assert (settings.chunk_size, settings.geometry.block_size) == (2 * 2**30, 128 * 2**10)
    assert (settings.engine.codec, settings.engine.workers) == (Codec.RAW, 3)
    assert (settings.max_concurrency, settings.container_max_gib) == (5, 99)
    assert settings.placement_policy == "cold"
    assert settings.progress_timer


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("None", "/root"),
        ("none", "/root"),
        ("", "/root"),
        ("root", "/root"),
        ("backups", "/root/backups"),
        ("/root/backups/", "/root/backups"),
        ("/root/west/backups", "/root/west/backups"),
        ("mapped", "/root/mapped"),
    ],
)
def test_a_tenant_is_none_or_a_name_or_a_path(tmp_path: Path, value: str, path: str) -> None:
    options = {**REQUIRED, "backup_datera_tenant_id": value}
    assert read_settings(configuration(tmp_path, **options)).tenant == path


@pytest.mark.parametrize("value", ["Map", "map"])
def test_a_tenant_for_each_project_is_refused_with_what_to_set(tmp_path: Path, value: str) -> None:
    options = {**REQUIRED, "backup_datera_tenant_id": value}
    wanted = rf"\[DEFAULT\].*backup_datera_tenant_id is {value}.*Set it to .* or to None for /root"
    with pytest.raises(OptionsInvalid, match=wanted):
        read_settings(configuration(tmp_path, **options))


@pytest.mark.parametrize("value", ["/root/..", "my lab", "7th", "ab", "/root/west/b@d", "x" * 65])
def test_what_no_tenant_can_be_called_is_refused_with_the_rule(tmp_path: Path, value: str) -> None:
    options = {**REQUIRED, "backup_datera_tenant_id": value}
    with pytest.raises(
        OptionsInvalid, match=r"\[DEFAULT\].*backup_datera_tenant_id: .*3 to 64 letters"
    ):
        read_settings(configuration(tmp_path, **options))


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("tenant_id", "/tenants/root/foo", "the tenant /root/foo: write that"),
        ("tenant_id", "/".join(["x" * 60] * 4), "characters too long for a record"),
        ("placement_policy", "..", "not a valid name"),
        ("placement_policy", "policies/", "not a valid name"),
        ("placement_policy", "a b", "not a valid name"),
    ],
)
def test_what_could_only_fail_later_is_refused_when_it_is_read(
    tmp_path: Path, option: str, value: str, told: str
) -> None:
    options = {**REQUIRED, f"backup_datera_{option}": value}
    with pytest.raises(OptionsInvalid, match=rf"\[DEFAULT\].*backup_datera_{option}.*{told}"):
        read_settings(configuration(tmp_path, **options))


@pytest.mark.parametrize("value", ["fast", "/placement_policies/fast"])
def test_a_placement_policy_is_a_name_or_a_path(tmp_path: Path, value: str) -> None:
    options = {**REQUIRED, "backup_datera_placement_policy": value}
    assert read_settings(configuration(tmp_path, **options)).placement_policy == value


def test_another_port_is_literal(tmp_path: Path) -> None:
    settings = read_settings(configuration(tmp_path, **REQUIRED, backup_datera_api_port=17717))
    assert settings.cluster.address == "192.0.2.7:17717"


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_missing_option_is_named_with_its_section(tmp_path: Path, name: str) -> None:
    rest = {other: value for other, value in REQUIRED.items() if other != name}
    with pytest.raises(OptionsMissing, match=rf"needs {name} in section \[DEFAULT\]"):
        read_settings(configuration(tmp_path, **rest))


def test_all_missing_options_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(OptionsMissing, match="san_ip, backup_datera_san_login, backup_datera_san"):
        read_settings(configuration(tmp_path))


def test_a_section_of_the_backends_own_is_named(tmp_path: Path) -> None:
    section = Overlay(configuration(tmp_path), "datera_west")
    with pytest.raises(OptionsMissing, match=r"section \[datera_west\]"):
        read_settings(section)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("backup_datera_chunk_size", "0"),
        ("backup_datera_replica_count", "6"),
        ("backup_datera_replica_count", "three"),
        ("backup_datera_block_size", "100"),
        ("backup_datera_placement_mode", "tape"),
        ("backup_datera_compression_algorithm", "bz2"),
        ("backup_datera_api_version", "1.0"),
        ("backup_datera_container_max_size", "0"),
        ("backup_datera_503_timeout", "-1"),
        ("backup_datera_san_ip", "not a host"),
    ],
)
def test_a_value_out_of_bounds_stops_the_service(tmp_path: Path, name: str, value: str) -> None:
    options = {**REQUIRED, name: value}
    # oslo.config checks the options' types either when it reads the file or at the first use.
    with pytest.raises((OptionsInvalid, cfg.ConfigFileValueError), match=name):
        read_settings(configuration(tmp_path, **options))


@pytest.mark.parametrize("name", [o.dest for o in OPTS if isinstance(o, cfg.IntOpt) and o.default])
def test_number_without_a_value_stops_the_service(tmp_path: Path, name: str) -> None:
    """To oslo.config it is None, whatever the default is."""
    with pytest.raises(OptionsInvalid, match=f"{name} has no value") as caught:
        read_settings(configuration(tmp_path, **{**REQUIRED, name: ""}))
    assert "[DEFAULT]" in str(caught.value)


def test_zlib_does_not_take_a_level_of_zstd(tmp_path: Path) -> None:
    options = {"backup_datera_compression_algorithm": "zlib", "backup_datera_compression_level": 19}
    with pytest.raises(OptionsInvalid, match="compression_level is 19, but zlib accepts 1 to 9"):
        read_settings(configuration(tmp_path, **REQUIRED, **options))


def test_the_password_is_in_no_repr(tmp_path: Path) -> None:
    assert "s3cret-word" not in repr(read_settings(configuration(tmp_path, **REQUIRED)))


def test_secondaries_that_nothing_would_serve_are_refused(tmp_path: Path) -> None:
    conf = configuration(
        tmp_path, backup_driver=DRIVER, backup_datera_secondary_backup_drivers="ceph, swift"
    )
    with pytest.raises(
        OptionsInvalid, match=r"backup_driver = backup_dispatch\.driver\.BackupDispatcher"
    ):
        refuse_ignored_secondaries(conf, (DRIVER,))


def test_secondaries_are_refused_where_the_dispatcher_registered_the_option(tmp_path: Path) -> None:
    conf = configuration(
        tmp_path, backup_driver=DRIVER, backup_datera_secondary_backup_drivers="ceph"
    )
    conf.register_opt(cfg.ListOpt("backup_datera_secondary_backup_drivers", default=[]))
    with pytest.raises(OptionsInvalid, match="secondary"):
        refuse_ignored_secondaries(conf, (DRIVER,))


def test_secondaries_are_the_dispatchers_to_serve(tmp_path: Path) -> None:
    conf = configuration(
        tmp_path,
        backup_driver="backup_dispatch.driver.BackupDispatcher",
        backup_datera_secondary_backup_drivers="ceph",
    )
    refuse_ignored_secondaries(conf, (DRIVER,))


def test_no_secondaries_are_no_problem(tmp_path: Path) -> None:
    refuse_ignored_secondaries(configuration(tmp_path, backup_driver=DRIVER), (DRIVER,))


def test_every_option_has_our_prefix_and_a_help_text() -> None:
    for section, options in list_opts():
        assert section == "DEFAULT"
        for option in options:
            assert option.name.startswith("backup_datera_")
            assert option.help


def test_engine_settings_come_from_the_options(tmp_path: Path) -> None:
    settings = read_settings(
        configuration(
            tmp_path,
            **REQUIRED,
            backup_datera_compression_algorithm="lz4",
            backup_datera_compression_level=-3,
            backup_datera_digest="sha256",
            backup_datera_read_ahead=6,
            backup_datera_requests=5,
            backup_datera_backup_bandwidth=1000,
            backup_datera_restore_bandwidth=2000,
        )
    )
    engine = settings.engine
    assert (engine.codec, engine.level, engine.batches) == (Codec.LZ4, -3, 6)
    assert engine.requests == 5
    assert (engine.backup_rate, engine.restore_rate) == (1000, 2000)
    assert settings.geometry.digest is Digest.SHA256


@pytest.mark.parametrize(
    ("algorithm", "level", "known"), [("zlib", -1, "1 to 9"), ("lz4", 13, "-7 to 12")]
)
def test_a_level_that_the_algorithm_does_not_know(
    tmp_path: Path, algorithm: str, level: int, known: str
) -> None:
    options = {
        "backup_datera_compression_algorithm": algorithm,
        "backup_datera_compression_level": level,
    }
    with pytest.raises(OptionsInvalid, match=f"{algorithm} accepts {known}"):
        read_settings(configuration(tmp_path, **REQUIRED, **options))


@pytest.mark.parametrize(
    ("module", "changes", "told"),
    [
        (
            "lz4.block",
            {"backup_datera_compression_algorithm": "lz4"},
            "backup_datera_compression_algorithm is lz4. The Python package 'lz4' is not "
            "installed, which blocks that are compressed by lz4 need: python -m pip install lz4, "
            "or set backup_datera_compression_algorithm = zstd.",
        ),
        (
            "blake3",
            {},
            "backup_datera_digest is blake3. The Python package 'blake3' is not installed, which "
            "digests of the kind BLAKE3 need: python -m pip install blake3, or set "
            "backup_datera_digest = sha256.",
        ),
    ],
    ids=["lz4", "the default digest"],
)
def test_a_package_that_is_missing_stops_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, changes: Any, told: str
) -> None:
    conf = configuration(tmp_path, **REQUIRED, **changes)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OptionsInvalid) as raised:
        read_settings(conf)
    assert str(raised.value) == f"Section [DEFAULT] of cinder.conf: {told}"


def test_sha256_needs_no_further_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blake3", None)
    conf = configuration(tmp_path, **REQUIRED, backup_datera_digest="sha256")
    assert read_settings(conf).geometry.digest is Digest.SHA256


@pytest.mark.parametrize(
    ("debug", "disabled", "level"),
    [(False, False, logging.DEBUG), (True, True, logging.INFO), (False, True, None)],
)
def test_durations_are_logged_unless_nobody_wants_them(
    tmp_path: Path, debug: bool, disabled: bool, level: int | None
) -> None:
    options = {"backup_datera_debug": debug, "backup_datera_disable_profiler": disabled}
    assert read_settings(configuration(tmp_path, **REQUIRED, **options)).timing_level == level
