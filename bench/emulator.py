# SPDX-License-Identifier: Apache-2.0
"""Response times of the emulator with many app instances, over a real socket.

``python -m bench.emulator [--app-instances N]`` prints one line of JSON: the median and the slowest
of some requests of each kind, in milliseconds. It exits with 1 if one takes longer than
``docs/emulator.md`` promises.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datera_emulator import Emulator, Limits, Switches

# Maximum median of each, in milliseconds.
PROMISED = {"page": 1000.0, "create": 20.0, "system": 20.0}
_VOLUMES = [{"name": "volume-1", "size": 1}]
_SAMPLES = 30


class Client:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {"Content-Type": "application/json"}
        key = self.ask("PUT", "/login", {"name": "admin", "password": "password"})["key"]
        self._headers["Auth-Token"] = key

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the body of a response that must be successful.

        :raises RuntimeError: it was not.
        """
        payload = None if body is None else json.dumps(body)
        self._connection.request(method, f"/v2.2{path}", payload, self._headers)
        response = self._connection.getresponse()
        document = json.loads(response.read())
        if response.status != http.client.OK:
            raise RuntimeError(f"{method} {path}: {response.status} {document}")
        return document


def create(client: Client, number: int) -> str:
    """Create an app instance with one volume, and return its path."""
    storage = {"name": "storage-1", "volumes": _VOLUMES}
    body = {"name": f"name-{number}", "storage_instances": [storage]}
    return str(client.ask("POST", "/app_instances", body)["data"]["path"])


def measure(client: Client, count: int) -> dict[str, dict[str, float]]:
    """Return milliseconds by kind of request, with ``count`` existing app instances."""
    made = iter(range(count, count + 10 * _SAMPLES))
    paths = [create(client, next(made)) for _ in range(_SAMPLES)]
    one = iter(paths * 4)
    gone = iter(paths)

    def delete() -> None:
        path = next(gone)
        client.ask("PUT", path, {"admin_state": "offline"})
        client.ask("DELETE", path)

    kinds: dict[str, Callable[[], Any]] = {
        "page": lambda: client.ask("GET", f"/app_instances?limit=100&offset={count // 2}"),
        "page_sorted": lambda: client.ask("GET", "/app_instances?sort=name&limit=100"),
        "match_name": lambda: client.ask("GET", "/app_instances?filter=match(name,^name-77$)"),
        "equal_descr": lambda: client.ask("GET", "/app_instances?filter=descr=nobody"),
        "show": lambda: client.ask("GET", next(one)),
        "system": lambda: client.ask("GET", "/system"),
        "create": lambda: create(client, next(made)),
        "rename": lambda: client.ask("PUT", next(one), {"descr": "another"}),
        "snapshot": lambda: client.ask("POST", f"{next(one)}/snapshots", {}),
        "offline_and_delete": delete,
    }
    return {name: _timed(act) for name, act in kinds.items()}


def _timed(act: Callable[[], Any]) -> dict[str, float]:
    taken = []
    for _ in range(_SAMPLES):
        before = time.perf_counter()
        act()
        taken.append((time.perf_counter() - before) * 1000)
    return {"median_ms": round(statistics.median(taken), 2), "slowest_ms": round(max(taken), 2)}


def main() -> int:
    """Fill an emulator, measure and print; the exit status is whether it is fast enough."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--app-instances", type=int, default=10_000, metavar="N")
    parser.add_argument("--state-dir", help="parent of the state directory (default: TMPDIR)")
    options = parser.parse_args()
    count = options.app_instances
    limits = Limits(
        app_instances=2 * count + 1000, volumes=2 * count + 1000, storage_instances=2 * count + 1000
    )
    with tempfile.TemporaryDirectory(dir=options.state_dir) as place:
        with Emulator(Path(place), switches=Switches(limits=limits)) as emulator:
            client = Client(emulator.http_port)
            before = time.perf_counter()
            for number in range(count):
                create(client, number)
            filled = time.perf_counter() - before
            figures = measure(client, count)
        before = time.perf_counter()
        with Emulator(Path(place), switches=Switches(limits=limits)):
            restarted = time.perf_counter() - before
    print(
        json.dumps(
            {
                "app_instances": count,
                "filled_s": round(filled, 1),
                "restarted_s": round(restarted, 2),
                "requests": figures,
            }
        )
    )
    slow = [name for name, most in PROMISED.items() if figures[name]["median_ms"] > most]
    for name in slow:
        print(f"too slow: {name}, promised {PROMISED[name]} ms", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
