# SPDX-License-Identifier: Apache-2.0
"""A running emulator, in this process or in one of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.datera.emulated_client import Client
from tests.fixtures.datera.published_sdk import OpenSdk, opener

Serve = Callable[..., "tuple[subprocess.Popen[str], dict[str, Any]]"]


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator in threads of this process."""
    with Emulator(tmp_path / "emulator") as running:
        yield running


@pytest.fixture
def client(emulator: Emulator) -> Client:
    """A logged-in client over HTTPS that verifies the certificate."""
    base = f"https://127.0.0.1:{emulator.https_port}"
    return Client(base, verify=emulator.ca_bundle).log_in()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start ``datera-emulator serve`` and return the process and its ready line."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "datera_emulator", "serve",
                "--state-dir", str(tmp_path / "state"), "--http-port", "0", "--https-port", "0",
                *arguments,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def open_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenSdk]:
    """Open the published SDK in its strict mode on an emulator."""
    yield from opener(tmp_path, monkeypatch)
