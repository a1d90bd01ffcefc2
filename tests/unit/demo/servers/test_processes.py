# SPDX-License-Identifier: Apache-2.0
"""Servers are children that come up, say so, and leave nothing behind."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.servers.processes import ServerFailed, Servers, environment
from demo.waiting import until
from tests.fixtures.ordinary_user import path_with_barred, run_python

READY = "from demo.servers.processes import say_ready; say_ready(http_port=7); "
WAIT = "import signal; signal.pause()"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path / "log")
    yield servers
    servers.stop(hurried=lambda: True)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def is_there(pid: int) -> bool:
    """Whether the process exists and is not merely waiting to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_server_is_ready_when_it_has_said_so(servers: Servers) -> None:
    server = servers.start("one", python("print('noise', flush=True); " + READY + WAIT))

    assert server.ready == {"http_port": 7, "pid": server.pid}
    assert server.running
    assert os.getsid(server.pid) == server.pid


def test_a_server_that_ends_early_is_reported_with_the_end_of_its_log(servers: Servers) -> None:
    with pytest.raises(ServerFailed, match=r"(?s)one ended before it was ready.*one\.log.*Oh dear"):
        servers.start("one", python("raise SystemExit('Oh dear')"))


def test_a_server_that_says_nothing_is_given_up(servers: Servers) -> None:
    with pytest.raises(ServerFailed, match=r"not ready within 0\.2 seconds"):
        servers.start("one", python(WAIT), seconds=0.2)


def test_a_server_that_has_gone_is_noticed(servers: Servers) -> None:
    server = servers.start("one", python(READY))
    until("its end", lambda: not server.running, seconds=10)

    with pytest.raises(ServerFailed, match="ended by itself"):
        servers.check()


def test_a_program_that_is_to_end_has_failed_only_with_an_error(servers: Servers) -> None:
    for name, ends_badly in (("good", False), ("bad", True)):
        code = READY + ("raise SystemExit(3)" if ends_badly else "")
        program = servers.launch(name, python(code), ends=True)
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        assert program.failed is ends_badly
        if not ends_badly:
            servers.check()

    with pytest.raises(ServerFailed, match="bad ended by itself"):
        servers.check()


def test_stopping_takes_what_the_server_had_started_itself(servers: Servers) -> None:
    # It does not listen: only the end of the whole group takes it.
    deaf = (
        f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); {WAIT}"
    )
    code = (
        "import subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-c', '{deaf}'], stdout=subprocess.PIPE); "
        "child.stdout.readline(); "
        "from demo.servers.processes import say_ready; say_ready(child=child.pid); " + WAIT
    )
    server = servers.start("one", python(code))
    child = server.ready["child"]
    assert is_there(child)

    servers.stop()

    assert not is_there(server.pid)
    until("the end of the child", lambda: not is_there(child), seconds=10)


def test_a_server_that_ignores_the_signal_is_killed(servers: Servers) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    server = servers.start("one", python(deaf + READY + WAIT))

    servers.stop(seconds=0.1)

    assert not is_there(server.pid)


def test_servers_stop_in_reverse_order(servers: Servers, tmp_path: Path) -> None:
    order = tmp_path / "order"
    for name in "ab":
        on_term = (
            "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: ("
            f"open({str(order)!r}, 'a').write({name!r}), sys.exit())); "
        )
        servers.start(name, python(on_term + READY + WAIT))

    servers.stop()

    assert order.read_text() == "ba"


def test_children_see_no_proxy_and_no_other_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1:3128")
    monkeypatch.setenv("OS_AUTH_URL", "https://cloud.example.org")

    env = environment()

    assert not {"http_proxy", "HTTPS_PROXY", "OS_AUTH_URL"} & set(env)
    assert env["no_proxy"] == "*"


def test_children_look_for_commands_only_where_the_user_may_enter(tmp_path: Path) -> None:
    barred, harmless = path_with_barred(tmp_path)
    program = "from demo.servers.processes import environment; print(environment()['PATH'])"

    told = run_python("-c", program, path=[*barred, *harmless]).split(os.pathsep)

    assert [folder for folder in told if folder in (*barred, *harmless)] == harmless
