# SPDX-License-Identifier: Apache-2.0
"""The SDK is imported without a trace, or its absence is told in one line."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import datera_volume
from datera_volume.connection.transport.sdk import ApiConnection
from datera_volume.connection.transport.session import ClusterSession

PACKAGE = Path(datera_volume.__file__).parent
REPORT = """
import collections, logging, os, sys, warnings
root = logging.getLogger()
before = (list(root.handlers), root.level, list(warnings.filters), hasattr(collections, "Mapping"),
          set(vars(logging)), os.getcwd(), sorted(os.listdir(".")))
import datera_volume.connection.transport.sdk
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
        assert name in vars(ClusterSession), name
    # Whatever else the SDK's class offers goes through one of these.
    source = Path(sys.modules[ApiConnection.__module__].__file__ or "").read_text()
    assert source.count("getattr(requests, ") == 1


def test_of_the_sdk_nothing_is_used_but_its_connection_context_and_version() -> None:
    imported = set()
    for path in [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "datera_backup").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dfs_sdk"):
                imported |= {(path.name, f"{node.module}.{name.name}") for name in node.names}
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("dfs_sdk") for name in node.names), path
    assert imported == {
        ("sdk.py", "dfs_sdk.connection.ApiConnection"),
        ("sdk.py", "dfs_sdk.constants.VERSION"),
        ("sdk.py", "dfs_sdk.context.ApiContext"),
    }
