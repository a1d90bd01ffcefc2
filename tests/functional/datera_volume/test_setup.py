# SPDX-License-Identifier: Apache-2.0
"""A backend that cannot work says so in one line, and in time."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception
from cinder.volume import configuration
from cinder.volume import driver as cinder_driver

from datera_emulator import Emulator
from datera_volume.driver import DateraDriver
from datera_volume.version import VERSION

pytestmark = pytest.mark.release

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartCinder = Callable[..., "CinderService"]


def start_driver(lines: str, start_cinder: StartCinder) -> DateraDriver:
    """A driver of its own on a section ``[array]`` with these lines, set up and checked."""
    start_cinder(sections=f"[array]\n{lines}")
    driver = DateraDriver(
        configuration=configuration.Configuration(cinder_driver.volume_opts, config_group="array"),
        host="testhost@array",
    )
    driver.do_setup(None)
    driver.check_for_setup_error()
    return driver


def test_a_working_backend_tells_the_scheduler_its_capacity(
    start_cinder: StartCinder, backend: str
) -> None:
    lines = "reserved_percentage = 5\nmax_over_subscription_ratio = auto\n"
    stats = start_driver(backend + lines, start_cinder).get_volume_stats(refresh=True)
    assert stats["driver_version"] == VERSION
    assert stats["vendor_name"] == "Datera"
    assert stats["storage_protocol"] == "iSCSI"
    assert stats["total_capacity_gb"] == pytest.approx(100 * 1024 / 3, abs=0.01)
    assert stats["free_capacity_gb"] <= stats["total_capacity_gb"]
    assert stats["reserved_percentage"] == 5
    assert stats["max_over_subscription_ratio"] == "auto"
    assert stats["thin_provisioning_support"] is True


def test_the_scheduler_lets_it_have_volumes_for_several_instances(
    start_cinder: StartCinder, backend: str
) -> None:
    from cinder.scheduler.filters.capabilities_filter import CapabilitiesFilter

    stats = start_driver(backend, start_cinder).get_volume_stats(refresh=True)
    shared = {"resource_type": {"extra_specs": {"multiattach": "<is> True"}}}
    assert CapabilitiesFilter().backend_passes(SimpleNamespace(capabilities=stats), shared)


@pytest.mark.parametrize("missing", ["san_ip", "san_password"])
def test_a_missing_option_is_named_with_its_section(
    start_cinder: StartCinder, backend: str, missing: str
) -> None:
    lines = "".join(
        line for line in backend.splitlines(keepends=True) if not line.startswith(missing)
    )
    with pytest.raises(exception.InvalidConfigurationValue) as error:
        start_driver(lines, start_cinder)
    assert missing in str(error.value)
    assert "[array]" in str(error.value)


def test_a_wrong_password_is_told_in_one_line_without_it(
    start_cinder: StartCinder, backend: str, emulator: Emulator
) -> None:
    with pytest.raises(exception.VolumeBackendAPIException) as error:
        start_driver(backend.replace("= password", "= wrong-horse-7"), start_cinder)
    assert "refused to log in the user admin" in str(error.value)
    assert f"127.0.0.1:{emulator.https_port}" in str(error.value)
    assert "wrong-horse-7" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_password_that_was_refused_is_not_tried_at_each_of_cinders_setups(
    start_cinder: StartCinder, backend: str, emulator: Emulator
) -> None:
    start_cinder(sections=f"[array]\n{backend}")
    refused = emulator.faults.answer(401, {"message": "No."}, path="/login", times=None)
    driver = DateraDriver(
        configuration=configuration.Configuration(cinder_driver.volume_opts, config_group="array"),
        host="testhost@array",
    )
    for _again in range(4):
        driver.do_setup(None)
        with pytest.raises(exception.VolumeBackendAPIException, match="refused to log in"):
            driver.check_for_setup_error()
    assert refused.hits == 1


def test_an_unreachable_cluster_is_told_with_host_and_port(start_cinder: StartCinder) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(exception.VolumeBackendAPIException) as error:
            start_driver(
                f"san_ip = 127.0.0.1\nsan_password = p\ndatera_api_port = {port}\n"
                "datera_503_timeout = 0\n",
                start_cinder,
            )
    assert f"127.0.0.1:{port}" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_certificate_that_is_not_trusted_is_told(start_cinder: StartCinder, backend: str) -> None:
    lines = "".join(
        line for line in backend.splitlines(keepends=True) if "driver_ssl_cert_path" not in line
    )
    with pytest.raises(exception.VolumeBackendAPIException, match="certificate verify failed"):
        start_driver(lines, start_cinder)


def test_a_version_that_an_old_product_does_not_offer_is_told(
    start_cinder: StartCinder, backend: str, start_emulator: Any, emulator: Emulator
) -> None:
    old = start_emulator(sw_version="2.2.0.0")
    lines = backend.replace(str(emulator.https_port), str(old.http_port))
    with pytest.raises(
        exception.VolumeBackendAPIException, match=r"not offer.* v2\.2.*datera_api_version"
    ):
        start_driver(lines + "driver_use_ssl = False\ndatera_api_version = 2.2\n", start_cinder)


def test_a_driver_that_was_not_set_up_says_so() -> None:
    driver = DateraDriver(configuration=configuration.Configuration(cinder_driver.volume_opts))
    with pytest.raises(exception.DriverNotInitialized):
        _ = driver.cluster


def test_its_options_are_those_of_the_documentation() -> None:
    names = {option.name for option in DateraDriver.get_driver_options()}
    assert {"san_ip", "san_password", "datera_api_port", "driver_use_ssl", "chap_password"} <= names
