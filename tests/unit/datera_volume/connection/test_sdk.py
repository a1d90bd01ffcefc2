# SPDX-License-Identifier: Apache-2.0
"""The SDK is imported without a trace, or its absence is told in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from datera_volume.connection.link import Link
from datera_volume.connection.sdk import ApiConnection

REPORT = """
import collections, logging, os, sys, warnings
root = logging.getLogger()
before = (list(root.handlers), root.level, list(warnings.filters), hasattr(collections, "Mapping"),
          set(vars(logging)), os.getcwd(), sorted(os.listdir(".")))
import datera_volume.connection.sdk
after = (list(root.handlers), root.level, list(warnings.filters), hasattr(collections, "Mapping"),
         set(vars(logging)), os.getcwd(), sorted(os.listdir(".")))
assert "dfs_sdk" in sys.modules
changed = [n for n, (b, a) in enumerate(zip(before, after)) if b != a]
print(changed, sorted(after[4] - before[4]))
"""

MISSING = """
import sys
sys.modules["dfs_sdk"] = None
from datera_volume.connection import Cluster, ClusterSettings, DateraError
try:
    Cluster(ClusterSettings("array", "admin", "secret"))
except DateraError as exc:
    print(f"{type(exc).__name__}: {exc}")
"""


def run(code: str, directory: Path) -> str:
    # In a process of its own: what an import leaves behind shows only the first time.
    # requests and urllib3 are imported first, for what they do is none of the SDK's doing.
    code = "import requests, urllib3, logging.config, logging.handlers\n" + code
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code],
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_the_import_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    assert run(REPORT, tmp_path) == "[] []"


def test_a_missing_sdk_is_one_line_with_the_command_that_installs_it(tmp_path: Path) -> None:
    text = run(MISSING, tmp_path)
    assert text.startswith("SdkMissing: ")
    assert text.endswith("pip install dfs_sdk")
    assert "\n" not in text


def test_nothing_of_the_sdks_own_transport_is_left() -> None:
    networking = {
        "_http_connect_request",
        "_do_request",
        "_do_auth_request",
        "_do_stream_request",
        "_get_schema",
        "login",
        "logout",
    }
    for name in networking:
        assert name in vars(Link), name
    # Whatever else the SDK's class offers goes through one of these.
    source = Path(sys.modules[ApiConnection.__module__].__file__ or "").read_text()
    assert source.count("getattr(requests, ") == 1
