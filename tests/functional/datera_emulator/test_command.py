# SPDX-License-Identifier: Apache-2.0
"""What an emulator can be told from outside while it runs: by its command, and by its endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from datera_emulator import Emulator
from datera_emulator.admin import Admin
from datera_emulator.api.request import Request
from datera_emulator.cli import main
from tests.fixtures.datera.emulated_client import Client


@pytest.fixture
def command(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command on the emulator, and return what it printed."""

    def run(*words: str) -> Any:
        assert main([*words, "--state-dir", str(emulator.state_dir)]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_status_counts_what_the_cluster_holds(
    command: Any, client: Client, emulator: Emulator
) -> None:
    client.create()
    status = command("status")
    assert status["holds"]["app_instances"] == status["holds"]["volumes"] == 1
    assert status["requests"] == sum(emulator.cluster.counters.requests.values())
    assert status["requests_by_kind"]["POST /app_instances"] == 1
    assert status["faults"] == []
    assert main(["status", "--http-port", str(emulator.http_port)]) == 0


def test_reset_forgets_data_keys_and_faults(
    command: Any, client: Client, emulator: Emulator
) -> None:
    client.create()
    client.good("POST", "/tenants", {"name": "acme"})
    emulator.faults.busy(times=None)
    holds = command("reset")["holds"]
    assert (holds["app_instances"], holds["tenants"], holds["users"]) == (0, 1, 1)
    assert client.ask("GET", "/system").status_code == 401
    assert client.log_in().good("GET", "/app_instances") == []
    assert list(emulator.cluster.files.names()) == []
    client.create()


def test_faults_are_added_listed_and_cleared(command: Any, client: Client) -> None:
    command(
        "fault", "add", "answer", "--path", "/system", "--nth", "2", "--times", "2",
        "--status", "418", "--body", '{"message": "tea"}',
    )  # fmt: skip
    seen = [client.ask("GET", "/system").status_code for _ in range(4)]
    assert seen == [200, 418, 418, 200]
    assert command("fault", "list")["faults"][0]["hits"] == 2
    command("fault", "add", "busy", "--times", "0")
    assert client.ask("GET", "/system").status_code == 503
    command("fault", "clear")
    command("fault", "random", "--rate", "1", "--kind", "html", "--path", "/system")
    assert client.ask("GET", "/system").headers["content-type"] == "text/html"
    assert command("fault", "logins", "3")["refused_logins_after_acl_change"] == 3
    assert command("fault", "clear") == {
        "faults": [],
        "random": [],
        "refused_logins_after_acl_change": 0,
    }
    assert client.good("GET", "/system")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["fault", "add", "busy", "--path", "("], "not a regular expression"),
        (["fault", "add", "busy", "--status", "99"], "status: 99 is less than the minimum"),
        (["fault", "random", "--rate", "0.5"], "rates must not be negative"),
        (["fault", "logins", "-1"], "after_acl_change"),
    ],
)
def test_a_command_that_is_refused_says_why_in_one_line(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main([*words, "--state-dir", str(emulator.state_dir)]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_a_command_without_an_emulator_says_so(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    port = emulator.http_port
    emulator.stop()
    for place in (["--state-dir", str(emulator.state_dir)], ["--http-port", str(port)]):
        assert main(["status", *place]) == 1
        assert "no emulator" in capsys.readouterr().err


def test_the_endpoint_is_on_the_loopback_interface_and_the_http_port_only(
    emulator: Emulator,
) -> None:
    admin = Admin(emulator.cluster, emulator.faults)
    for client, status in {"10.1.2.3:4": 403, "[::1]:4": 200, "127.0.0.9:4": 200}.items():
        asked = Request("GET", "/emulator/status", client=client)
        assert admin.handle(asked).status == status
    secure = f"https://127.0.0.1:{emulator.https_port}/emulator/status"
    assert requests.get(secure, verify=emulator.ca_bundle, timeout=30).status_code == 404


def test_the_endpoint_refuses_what_a_browsers_page_could_send(emulator: Emulator) -> None:
    base = f"http://127.0.0.1:{emulator.http_port}/emulator"
    body = json.dumps({"kind": "busy"})
    assert requests.post(f"{base}/faults", body, timeout=30).status_code == 415
    assert requests.post(f"{base}/faults", json={"kind": "flood"}, timeout=30).status_code == 422
    assert requests.get(f"{base}/nothing", timeout=30).status_code == 404
    assert emulator.faults.describe()["faults"] == []
