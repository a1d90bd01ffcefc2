# SPDX-License-Identifier: Apache-2.0
"""The emulator over real sockets: connections, TLS, and faults that a client can feel."""

from __future__ import annotations

import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path

import pytest
import requests

from datera_emulator import Emulator, StateInUse
from tests.fixtures.datera.emulated_client import Client


def test_one_connection_carries_many_requests(emulator: Emulator, client: Client) -> None:
    for _ in range(20):
        client.good("GET", "/system")
    assert emulator.cluster.counters.connections == 1
    assert emulator.cluster.counters.of("GET", "/system") == 20
    client.session.headers["Datera-Driver"] = "a driver"
    client.create()
    assert emulator.cluster.counters.drivers["a driver"] >= 2
    assert emulator.cluster.counters.of("POST", "/app_instances") == 1
    assert emulator.cluster.counters.of("GET", "/app_instances/:id") >= 1


def test_plain_http_serves_the_same_cluster(emulator: Emulator, client: Client) -> None:
    client.create("one")
    plain = Client(f"http://127.0.0.1:{emulator.http_port}", version="v2.3").log_in()
    assert [one["name"] for one in plain.good("GET", "/app_instances")] == ["one"]


def test_the_certificate_is_verified_against_our_authority_only(emulator: Emulator) -> None:
    base = f"https://localhost:{emulator.https_port}"
    assert Client(base, verify=emulator.ca_bundle).log_in().good("GET", "/system")
    with pytest.raises(requests.exceptions.SSLError):
        Client(base).log_in()


@pytest.mark.parametrize("method", ["PATCH", "HEAD", "OPTIONS", "TRACE", "FROB"])
def test_a_method_that_a_path_does_not_know_is_refused_in_the_apis_words(
    emulator: Emulator, client: Client, method: str
) -> None:
    for path, status in (("/app_instances", 405), ("/nothing", 404)):
        answer = client.ask(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
        if method == "HEAD":
            assert answer.content == b""
            assert int(answer.headers["content-length"]) > 0
        else:
            assert (answer.json()["name"], answer.json()["http"]) == ("InvalidRouteError", status)
    client.good("GET", "/system")
    assert emulator.cluster.counters.connections == 1


@pytest.mark.parametrize(
    ("request_lines", "status"),
    [
        (b"PUT /v2.2/login HTTP/1.1\r\nContent-Length: many\r\n", 400),
        (b"PUT /v2.2/login HTTP/1.1\r\nContent-Length: 99999999\r\n", 413),
        (b"GET /v2.2/system HTTP/3.0\r\n", 505),
        (b"nonsense\r\n", 400),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n", 414),
    ],
)
def test_malformed_http_is_refused_in_the_apis_words(
    emulator: Emulator, request_lines: bytes, status: int
) -> None:
    with socket.create_connection(("127.0.0.1", emulator.http_port)) as connection:
        connection.sendall(request_lines + b"\r\n")
        answer = HTTPResponse(connection)
        answer.begin()
        document = json.loads(answer.read())
    assert answer.status == document["http"] == status
    assert document["name"] == "InvalidRequestError"


def test_a_silent_connection_does_not_stop_the_others(emulator: Emulator, client: Client) -> None:
    with socket.create_connection(("127.0.0.1", emulator.https_port)):
        other = Client(client.base, verify=emulator.ca_bundle)
        assert other.log_in().good("GET", "/system")


def test_a_dropped_answer_after_the_effect(emulator: Emulator, client: Client) -> None:
    emulator.faults.drop(method="POST", path="/tenants", applied=True)
    with pytest.raises(requests.ConnectionError):
        client.ask("POST", "/tenants", {"name": "acme"})
    assert client.ask("POST", "/tenants", {"name": "acme"}).status_code == 409


def test_half_of_an_answer_after_the_effect(emulator: Emulator, client: Client) -> None:
    emulator.faults.kind("half", method="POST", path="/tenants")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.ask("POST", "/tenants", {"name": "acme"})
    assert client.ask("POST", "/tenants", {"name": "acme"}).status_code == 409
    with socket.create_connection(("127.0.0.1", emulator.http_port)) as connection:
        emulator.faults.kind("half", path="/api_versions")
        connection.sendall(b"GET /v2.2/api_versions HTTP/1.1\r\n\r\n")
        head, _, body = b"".join(iter(lambda: connection.recv(4096), b"")).partition(b"\r\n\r\n")
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
    assert len(body) == length // 2 > 0


def test_a_hanging_request_goes_on_when_it_is_released(emulator: Emulator, client: Client) -> None:
    hang = emulator.faults.hang(method="GET", path="/system")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.good, "GET", "/system")
        other = Client(client.base, verify=emulator.ca_bundle).log_in()
        other.good("GET", "/system")
        assert not waiting.done()
        hang.release.set()
        assert waiting.result(30)["op_state"] == "running"


def test_html_and_an_empty_body_come_through_as_they_are(
    emulator: Emulator, client: Client
) -> None:
    emulator.faults.html(path="/system")
    answer = client.ask("GET", "/system")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    emulator.faults.empty(path="/system")
    assert client.ask("GET", "/system").content == b""
    assert client.good("GET", "/system")


def test_concurrent_requests_lose_no_change(emulator: Emulator, client: Client) -> None:
    start = threading.Barrier(8)

    def make(worker: int) -> None:
        own = Client(client.base, verify=emulator.ca_bundle).log_in()
        start.wait(30)
        for number in range(5):
            own.create(f"worker-{worker}-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))
    assert len(client.good("GET", "/app_instances")) == 40
    assert len(emulator.cluster.app_instances) == 40


def test_two_emulators_do_not_share_a_state(emulator: Emulator) -> None:
    with pytest.raises(StateInUse), Emulator(emulator.state_dir):
        pass


def test_started_again_it_is_found_where_it_was(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path)
    with emulator:
        ports = (emulator.http_port, emulator.https_port)
        client = Client(f"http://127.0.0.1:{ports[0]}").log_in()
        client.create("kept")
        portals = list(emulator.cluster.portals)
    with emulator:
        assert (emulator.http_port, emulator.https_port) == ports
        assert emulator.cluster.portals == portals
        assert client.ask("GET", "/system").status_code == 401
        assert client.log_in().good("GET", "/app_instances/kept")["name"] == "kept"
