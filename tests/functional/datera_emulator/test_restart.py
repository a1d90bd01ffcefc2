# SPDX-License-Identifier: Apache-2.0
"""The command, and what a process that is killed leaves behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.fixtures.datera.emulated_client import Client


def client_of(ready: dict[str, Any]) -> Client:
    base = f"https://127.0.0.1:{ready['https_port']}"
    return Client(base, verify=ready["ca_bundle"]).log_in()


def test_the_ready_line_says_all_that_a_client_needs(serve: Any) -> None:
    process, ready = serve()
    assert set(ready) == {
        "http_port", "https_port", "ca_bundle", "username", "password", "state_dir", "pid",
    }  # fmt: skip
    assert ready["pid"] == process.pid
    assert (ready["username"], ready["password"]) == ("admin", "password")
    assert client_of(ready).good("GET", "/system")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_stops_the_emulator_cleanly(serve: Any, number: signal.Signals) -> None:
    process, _ = serve()
    process.send_signal(number)
    assert process.wait(30) == 0


def test_killed_while_it_works_it_has_all_that_it_acknowledged(serve: Any) -> None:
    process, ready = serve("--switch", "list_order=created")
    client = client_of(ready)
    acknowledged: list[str] = []
    enough = threading.Event()

    def make() -> None:
        try:
            for number in range(10_000):
                client.create(f"name-{number}")
                acknowledged.append(f"name-{number}")
                if number == 30:
                    enough.set()
        except requests.ConnectionError:
            return

    worker = threading.Thread(target=make)
    worker.start()
    assert enough.wait(60)
    process.send_signal(signal.SIGKILL)
    worker.join(60)
    assert not worker.is_alive()

    _, ready = serve()
    again = client_of(ready)
    for name in acknowledged:
        shown = again.good("GET", f"/app_instances/{name}")
        assert shown["storage_instances"][0]["volumes"][0]["size"] == 1
    files = [path for path in (Path(ready["state_dir"]) / "data").glob("*/*") if path.is_file()]
    assert len(acknowledged) <= len(files) <= len(acknowledged) + 1


class Worker:
    """Changes a cluster of every kind, and remembers what was acknowledged."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.known: dict[str, dict[str, Any] | None] = {}
        self.under_way = ""
        self.enough = threading.Event()

    def run(self) -> None:
        """Work until the cluster is gone."""
        try:
            for number in range(10_000):
                self._one(number)
                if number == 6:
                    self.enough.set()
        except requests.ConnectionError:
            return

    def _one(self, number: int) -> None:
        volume = {"name": "volume-1", "size": 1}
        template = {"name": "storage-1", "volume_templates": [volume]}
        path = f"/app_templates/gold-{number}"
        self._do(path, "POST", "/app_templates", name=path[15:], storage_templates=[template])
        made = self._do(
            f"/app_instances/one-{number}",
            "POST",
            "/app_instances",
            name=f"one-{number}",
            app_template={"path": path},
        )
        one = f"/app_instances/one-{number}"
        policy = {"name": "nightly", "interval": "1day", "retention_count": 7}
        self._do(one, "PUT", one, descr="a note", snapshot_policies=[policy])
        point = self._do("", "POST", f"{made['path']}/snapshots")
        self.known[point["path"]] = {"uuid": point["uuid"]}
        user = f"/users/user_{number}"
        self._do(user, "POST", "/users", user_id=user[7:], full_name="A User", password="secret_")
        if number % 2:
            self._do("", "PUT", one, admin_state="offline")
            del self.known[point["path"]]  # it goes along, at the same moment
            self._do(one, "DELETE", one)
            self.known[one] = self.known[point["path"]] = None

    def _do(self, path: str, method: str, where: str, **body: Any) -> Any:
        """Ask for a change of what is at ``path``, and remember it once it was acknowledged."""
        self.under_way = path
        answer = self._client.good(method, where, body)
        told: dict[str, Any] = {
            key: body[key] for key in ("name", "descr", "user_id") if key in body
        }
        self.known[path] = {**(self.known.get(path) or {}), **told}
        return answer


def test_killed_in_the_middle_of_changes_it_has_all_of_them(serve: Any) -> None:
    process, ready = serve("--switch", "snapshot_creating_reads=0")
    work = Worker(client_of(ready))
    thread = threading.Thread(target=work.run)
    thread.start()
    assert work.enough.wait(60)
    process.send_signal(signal.SIGKILL)
    thread.join(60)

    _, ready = serve()
    again = client_of(ready)
    for path, known in work.known.items():
        if path in ("", work.under_way):  # whether it came to be, nobody was told
            continue
        answer = again.ask("GET", path)
        assert answer.status_code == (404 if known is None else 200), path
        if known is not None:
            shown = answer.json()["data"]
            assert {key: shown[key] for key in known} == known


def test_data_and_snapshots_survive_a_restart(serve: Any) -> None:
    process, ready = serve()
    client = client_of(ready)
    made = client.create()
    volume = made["storage_instances"][0]["volumes"][0]["path"]
    (file,) = (Path(ready["state_dir"]) / "data").glob("*/*")
    with file.open("r+b") as stream:
        stream.write(b"alpha")
    snapshot = client.good("POST", f"{volume}/snapshots", {})
    with file.open("r+b") as stream:
        stream.write(b"omega")
    process.send_signal(signal.SIGKILL)
    process.wait()

    _, ready = serve()
    again = client_of(ready)
    while again.good("GET", snapshot["path"])["op_state"] != "available":
        pass
    body = {"name": "clone", "clone_snapshot_src": {"path": snapshot["path"]}}
    again.good("POST", "/app_instances", body)
    files = (Path(ready["state_dir"]) / "data").glob("*/*")
    contents = sorted(path.open("rb").read(5) for path in files)
    assert contents == [b"alpha", b"alpha", b"omega"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--switch", "colour=blue"], "there is no switch 'colour'"),
        (["--switch", "colour"], "is not NAME=VALUE"),
        (["--sw-version", "new"], "software version 'new' is not dotted integers"),
    ],
)
def test_a_start_that_fails_is_explained_in_one_line(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    command = [sys.executable, "-m", "datera_emulator", "serve", "--state-dir", str(tmp_path)]
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
