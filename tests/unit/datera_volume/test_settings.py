# SPDX-License-Identifier: Apache-2.0
"""A backend's section is read once, and what is wrong with it is told with the option's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cinder import exception
from cinder.volume import configuration, driver
from cinder.volume.drivers.san import san
from oslo_config import cfg

from datera_volume import opts
from datera_volume.settings import BackendSettings, read_settings

pytestmark = pytest.mark.release

CONF = cfg.CONF
GOOD = {"san_ip": "array", "san_login": "admin", "san_password": "hunter22"}

Read = Callable[..., BackendSettings]


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    """Read a section ``[datera]`` with these options, as the driver would."""

    def read(shared: str = "", **options: str) -> BackendSettings:
        file = tmp_path / "cinder.conf"
        lines = "\n".join(f"{name} = {value}" for name, value in options.items())
        file.write_text(f"[datera]\n{lines}\n[backend_defaults]\n{shared}\n")
        CONF([], project="cinder", default_config_files=[str(file)])
        section = configuration.Configuration(driver.volume_opts, config_group="datera")
        section.append_config_values(san.san_opts)
        opts.register(section)
        return read_settings(section)

    yield read
    CONF.reset()


def test_the_defaults_are_those_of_the_documentation(read: Read) -> None:
    cluster = read(**GOOD).cluster
    assert cluster.address == "array:7718"
    assert cluster.version == "v2.2"
    assert (cluster.busy_timeout, cluster.busy_interval) == (120.0, 5.0)
    assert cluster.driver_header.startswith("OpenStack-Cinder-20")
    assert read(**GOOD).tenant is None


@pytest.mark.parametrize("missing", ["san_ip", "san_login", "san_password"])
def test_a_missing_option_is_named_with_its_section(read: Read, missing: str) -> None:
    with pytest.raises(exception.InvalidConfigurationValue) as error:
        read(**{**GOOD, missing: ""})
    assert missing in str(error.value)
    assert "[datera]" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"datera_api_version": "2"}, "2.1, 2.2, 2.3"),
        ({"datera_tenant_id": "/root/my lab"}, "datera_tenant_id"),
        ({"datera_tenant_id": "/root/my lab"}, "3 to 64 letters"),
        ({"san_ip": "array/x"}, "array/x"),
        ({"datera_503_interval": "0"}, "datera_503_interval"),
        ({"datera_api_port": "many"}, "datera_api_port"),
        ({"datera_debug": "perhaps"}, "datera_debug"),
        ({"use_chap_auth": "True"}, "chap_username"),
        ({"use_chap_auth": "True", "chap_username": "cinder"}, "chap_password"),
        (
            {"use_chap_auth": "True", "chap_username": "cinder", "chap_password": "short"},
            "12 to 16 characters",
        ),
        ({"datera_volume_type_defaults": "replica_count:9"}, "DF:replica_count"),
        ({"datera_tenant_id": "/tenants/root/foo"}, "/root/foo: write that"),
    ],
)
def test_an_invalid_setting_is_named(read: Read, options: dict[str, str], named: str) -> None:
    with pytest.raises(exception.InvalidConfigurationValue) as error:
        read(**{**GOOD, **options})
    assert named in str(error.value)
    assert "[datera]" in str(error.value)
    assert "short" not in str(error.value)


@pytest.mark.parametrize("name", ["datera_api_port", "datera_503_timeout", "datera_503_interval"])
def test_number_without_a_value_is_named(read: Read, name: str) -> None:
    """To oslo.config it is None in the section that all backends share, whatever the default."""
    with pytest.raises(exception.InvalidConfigurationValue, match=f"{name} has no value"):
        read(f"{name} =", **GOOD)


def test_tls_is_on_although_cinders_default_is_off(read: Read) -> None:
    assert read(**GOOD).cluster.tls.enabled


@pytest.mark.parametrize("where", ["section", "shared"])
def test_tls_is_off_where_the_operator_says_so(read: Read, where: str) -> None:
    line = {"driver_use_ssl": "False"}
    settings = (
        read(**GOOD, **line) if where == "section" else read("driver_use_ssl = False", **GOOD)
    )
    assert not settings.cluster.tls.enabled
    assert settings.cluster.address == "array:7717"


def test_the_section_wins_over_what_all_backends_share(read: Read) -> None:
    settings = read("driver_use_ssl = False", **GOOD, driver_use_ssl="True")
    assert settings.cluster.tls.enabled


def test_cinders_tls_options_are_used(read: Read) -> None:
    tls = read(
        **GOOD,
        driver_ssl_cert_verify="True",
        driver_ssl_cert_path="/ca.pem",
        driver_client_cert="/cert.pem",
        driver_client_cert_key="/key.pem",
    ).cluster.tls
    assert tls.verify
    assert (tls.ca_bundle, tls.client_cert, tls.client_key) == ("/ca.pem", "/cert.pem", "/key.pem")


def test_secrets_are_not_in_the_repr(read: Read) -> None:
    settings = read(
        **GOOD, use_chap_auth="True", chap_username="cinder", chap_password="chap-secret-1"
    )
    assert "hunter22" not in repr(settings)
    assert "chap-secret-1" not in repr(settings)


def test_type_defaults_apply_to_volumes_without_a_type(read: Read) -> None:
    settings = read(**GOOD, datera_volume_type_defaults="total_iops_max:500,replica_count:2")
    assert settings.default_policies.replica_count == 2
    assert settings.default_policies.limits.for_size(1) == {"total_iops_max": 500}


CHAP = {"use_chap_auth": "True", "chap_password": "chap-secret-1"}


@pytest.mark.parametrize("user", ["0cinder", "ü", "..", "x" * 200, "x" * 65, "ab", "a b", "a/bc"])
def test_a_chap_user_that_no_cluster_accepts_is_refused_with_the_rule(
    read: Read, user: str
) -> None:
    with pytest.raises(exception.InvalidConfigurationValue) as error:
        read(**GOOD, **CHAP, chap_username=user)
    told = str(error.value)
    assert f"chap_username is {user!r}; it must be 3 to 64 letters" in told
    assert "[datera]" in told


@pytest.mark.parametrize("user", ["cinder", "_0c", "x" * 64, "a.b-c_d"])
def test_a_chap_user_as_the_cluster_wants_it_is_taken(read: Read, user: str) -> None:
    chap = read(**GOOD, **CHAP, chap_username=user).chap
    assert chap is not None
    assert chap.common.username == user


def test_an_unusable_chap_user_stops_nothing_where_no_chap_is_asked_for(read: Read) -> None:
    chap = {**CHAP, "use_chap_auth": "False"}
    assert read(**GOOD, **chap, chap_username="0cinder").chap is None
    assert read(**GOOD, **chap, chap_username="cinder").chap is not None
