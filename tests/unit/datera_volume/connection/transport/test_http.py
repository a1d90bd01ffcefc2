# SPDX-License-Identifier: Apache-2.0
"""The transport itself, over real sockets where a fake would prove nothing."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from datera_volume import connection
from datera_volume.connection import TLS, ClusterSettings, OptionNames
from datera_volume.connection.transport.http import HttpTransport
from datera_volume.connection.transport.masking import Masker
from datera_volume.connection.transport.session import ClusterSession

PASSWORD = "correct-horse-7"
PLAIN = TLS(enabled=False)
# As many as a service of Cinder's has by default for what it is asked.
THREADS = 64


def transport(
    port: int, clock: Callable[[], float] = time.monotonic, **settings: Any
) -> HttpTransport:
    usual = {"tls": PLAIN, "read_timeout": 0.3, "connect_timeout": 5.0}
    return HttpTransport(
        ClusterSettings("127.0.0.1", "admin", PASSWORD, port=port, **{**usual, **settings}),
        Masker(PASSWORD),
        clock=clock,
    )


class Handler(BaseHTTPRequestHandler):
    """Counts connections; redirects, hangs up or waits, as the path says."""

    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        self.server.connections += 1  # type: ignore[attr-defined]
        super().handle()

    def do_GET(self) -> None:
        self.server.seen.append(dict(self.headers))  # type: ignore[attr-defined]
        if self.path == "/hang-up":
            self.close_connection = True
            return
        if self.path == "/silent":
            self.server.released.wait(10)  # type: ignore[attr-defined]
            return
        if self.path.startswith("/endless"):
            self.endless()
            return
        if self.path == "/together":
            self.server.together.wait(30)  # type: ignore[attr-defined]
        self.send_response(302 if self.path == "/redirect" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Set-Cookie", "a=b")
        self.send_header("Content-Length", "20" if self.path == "/short" else "2")
        self.end_headers()
        self.wfile.write(b"{}")
        self.close_connection = self.path == "/short"

    def endless(self) -> None:
        """Send headers, or a body, until the client has enough."""
        piece = b"x"
        self.close_connection = True
        if self.path == "/endless-body":
            self.send_response(200)
            self.end_headers()
        else:
            piece = b"HTTP/1.1 100 Continue\r\n\r\n"
        with suppress(OSError):
            while True:
                self.wfile.write(piece)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.connections, server.seen, server.released = 0, [], threading.Event()
    server.together = threading.Barrier(THREADS)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_connection_serves_many_requests_and_takes_no_cookies(server: Any) -> None:
    one = transport(server.server_port)
    for _ in range(5):
        one.send("GET", "/", headers={})
    one.close()
    assert server.connections == 1
    assert "Cookie" not in server.seen[-1]


def test_as_many_threads_as_cinder_has_keep_their_connections_and_are_not_warned_of(
    server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.socket.listen(THREADS)
    one = transport(server.server_port, read_timeout=30.0)
    with ThreadPoolExecutor(THREADS) as pool:
        for _twice in range(2):
            answers = pool.map(
                lambda _number: one.send("GET", "/together", headers={}), range(THREADS)
            )
            assert all(answer.ok for answer in answers)
    one.close()
    assert [r for r in caplog.records if "pool" in r.getMessage()] == []
    assert server.connections == THREADS


def test_the_environment_is_not_trusted(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert transport(server.server_port).send("GET", "/", headers={}).ok


def test_a_redirect_is_not_followed_for_it_would_carry_the_key_elsewhere(server: Any) -> None:
    answer = transport(server.server_port).send("GET", "/redirect", headers={"Auth-Token": "k"})
    assert answer.status == 302
    assert len(server.seen) == 1


@pytest.mark.parametrize("path", ["/hang-up", "/silent", "/short"])
def test_an_answer_that_does_not_come_leaves_the_outcome_unknown(server: Any, path: str) -> None:
    with pytest.raises(connection.OutcomeUnknown, match=f"GET {path} at 127.0.0.1:"):
        transport(server.server_port).send("GET", path, headers={})


@pytest.mark.parametrize("path", ["/endless-body", "/endless-headers"])
def test_response_that_never_ends_is_given_up_at_its_deadline(server: Any, path: str) -> None:
    passed = count(step=10)
    one = transport(
        server.server_port, clock=lambda: next(passed), read_timeout=30.0, response_timeout=600.0
    )
    with pytest.raises(connection.OutcomeUnknown, match=r"no complete response within 600 s$"):
        one.send("GET", path, headers={})
    one.close()


def test_a_closed_port_is_unreachable_and_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(
            connection.ClusterUnreachable, match=rf"127\.0\.0\.1:{port}: .*[Rr]efused"
        ):
            transport(port).send("GET", "/", headers={})


def test_a_name_that_does_not_exist_is_unreachable() -> None:
    settings = ClusterSettings("no-such-array.invalid", "admin", PASSWORD, tls=PLAIN)
    with pytest.raises(connection.ClusterUnreachable, match=r"no-such-array\.invalid:7717"):
        HttpTransport(settings, Masker()).send("GET", "/", headers={})


def test_tls_at_a_port_that_speaks_none_is_told_at_once(server: Any) -> None:
    with pytest.raises(connection.CertificateRefused, match="SSL"):
        transport(server.server_port, tls=TLS()).send("GET", "/", headers={})


@pytest.mark.parametrize(
    ("tls", "option"),
    [
        (TLS(verify=True, ca_bundle="/no/such/ca.pem"), "driver_ssl_cert_path"),
        (TLS(client_cert="/no/such/cert.pem"), "driver_client_cert:"),
        (TLS(client_cert="{here}", client_key="/no/such/key.pem"), "driver_client_cert_key"),
    ],
)
def test_a_missing_certificate_file_is_named_with_its_option(
    tmp_path: Path, tls: TLS, option: str
) -> None:
    if tls.client_cert == "{here}":
        (tmp_path / "cert").write_text("")
        tls = TLS(client_cert=str(tmp_path / "cert"), client_key=tls.client_key)
    with pytest.raises(connection.CertificateRefused, match=f"{option}.*no/such"):
        transport(1, tls=tls)


@pytest.mark.parametrize("option", ["ca_bundle", "client_cert", "client_key"])
def test_a_certificate_file_that_vanishes_later_is_named(
    server: Any, tmp_path: Path, option: str
) -> None:
    files = {name: tmp_path / name for name in ("ca_bundle", "client_cert", "client_key")}
    for file in files.values():
        file.write_text("")
    ca_bundle, client_cert, client_key = map(str, files.values())
    tls = TLS(verify=True, ca_bundle=ca_bundle, client_cert=client_cert, client_key=client_key)
    one = transport(server.server_port, tls=tls)
    files[option].unlink()
    with pytest.raises(connection.CertificateRefused, match=f"{files[option]} does not exist"):
        one.send("GET", "/", headers={})


def test_an_error_of_the_system_that_is_none_of_these_stays_what_it_is(
    make_session: Callable[..., ClusterSession], scripted: Any
) -> None:
    scripted.script = lambda _seen: OSError(24, "Too many open files")
    with pytest.raises(OSError, match="Too many open files"):
        make_session().login()


def test_verification_off_is_told_once_with_its_option(caplog: pytest.LogCaptureFixture) -> None:
    transport(1, tls=TLS())
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "driver_ssl_cert_verify" in caplog.text
    caplog.clear()
    transport(1, tls=TLS(), names=OptionNames("backup_datera_", "backup_datera_"))
    assert "backup_datera_ssl_cert_verify" in caplog.text
    caplog.clear()
    transport(1, tls=TLS(verify=True))
    assert caplog.records == []


def test_tls_off_is_told_once_with_its_option(caplog: pytest.LogCaptureFixture) -> None:
    one = transport(1, tls=TLS(enabled=False))
    for _twice in range(2):
        with pytest.raises(connection.ClusterUnreachable):
            one.send("GET", "/x", headers={})
    (record,) = [r for r in caplog.records if r.levelname == "WARNING"]
    assert "driver_use_ssl" in record.getMessage()


def test_a_bug_is_not_dressed_up_as_trouble_on_the_way(
    make_session: Callable[..., ClusterSession], scripted: Any
) -> None:
    scripted.script = lambda _seen: TypeError("a bug")
    with pytest.raises(TypeError, match="a bug"):
        make_session().login()


def test_no_secret_reaches_a_log_an_exception_or_a_repr(
    make_session: Callable[..., ClusterSession], scripted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = make_session()
    chap = {"type": "chap", "target_user_name": "user", "target_pswd": "chap-secret-12"}
    session.request("PUT", "/auth", body=chap)

    def echo(seen: Any) -> Any:
        whole = f"{seen.body} {seen.headers} {PASSWORD}"
        return (400, {"message": whole, "params": seen.body}) if "auth" in seen.path else None

    scripted.script = echo
    with pytest.raises(connection.RequestRefused) as refused:
        session.request("PUT", "/auth", body=chap)
    scripted.script = lambda _seen: requests.ReadTimeout(f"no answer to {PASSWORD}")
    with pytest.raises(connection.OutcomeUnknown) as lost:
        session.request("POST", "/auth", body=chap)
    everything = "\n".join(
        [caplog.text, str(refused.value), str(lost.value), repr(session.settings), repr(session)]
    )
    assert "/auth" in caplog.text
    for secret in (PASSWORD, "session-key-1", "chap-secret-12"):
        assert secret not in everything


@pytest.mark.parametrize("before", [70, 190])
@pytest.mark.parametrize("status", [200, 502])
def test_no_part_of_a_secret_is_left_where_a_text_is_cut(
    make_session: Callable[..., ClusterSession],
    scripted: Any,
    caplog: pytest.LogCaptureFixture,
    before: int,
    status: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    page = f"{'x' * before} {PASSWORD} tail".encode()
    scripted.script = lambda s: (status, page) if s.path.endswith("/x") else None
    with pytest.raises(connection.DateraError) as told:
        make_session(busy_timeout=0).request("POST", "/x")
    assert PASSWORD[:6] not in str(told.value)
    assert PASSWORD[:6] not in caplog.text


def test_request_and_answer_carry_the_same_mark(
    make_session: Callable[..., ClusterSession], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    make_session().request("GET", "/x")
    marks = [r.getMessage().split("]")[0] for r in caplog.records if r.getMessage().startswith("[")]
    assert len(marks) == 8
    assert all(marks.count(mark) == 2 for mark in marks)
