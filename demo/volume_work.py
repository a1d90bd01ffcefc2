# SPDX-License-Identifier: Apache-2.0
"""Runs `demo.attach` for one volume and follows its output."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from demo.blocks import Changes
from demo.cloud import Cloud, with_connector
from demo.servers.processes import PROJECT, environment


class Mismatch(Exception):
    """A volume's content is not what was backed up."""


class VolumeWork:
    """Fills, changes and compares volumes through attachments of the ordinary user."""

    def __init__(self, cloud: Cloud, source: Path) -> None:
        self._cloud = cloud
        self._source = source

    def fill(self, volume_id: str, progress: Callable[[int], None]) -> int:
        """Write the source's bytes to a new volume; return how many were written."""
        return self._run({"what": "fill", "volume": volume_id}, progress)

    def change(self, volume_id: str, changes: Changes, progress: Callable[[int], None]) -> int:
        """Overwrite parts of a volume; return how many bytes."""
        order = {"what": "change", "volume": volume_id, "changes": asdict(changes)}
        return self._run(order, progress)

    def compare(
        self, volume_id: str, changes: Changes | None, progress: Callable[[int], None]
    ) -> int:
        """Compare every byte of a volume with the source, with the changes applied, if any.

        :raises Mismatch: at the first byte that differs.
        """
        order = {
            "what": "compare",
            "volume": volume_id,
            "changes": asdict(changes) if changes else None,
        }
        return self._run(order, progress)

    def _run(self, order: Mapping[str, Any], progress: Callable[[int], None]) -> int:
        log = self._cloud.logs / "attach.log"
        words = {
            **order,
            "source": str(self._source),
            "locks": str(self._cloud.directory / "attach-locks"),
            "cloud": self._cloud.credentials("demo"),
        }
        with (
            log.open("ab") as errors,
            subprocess.Popen(
                with_connector(PROJECT / "demo" / "attach.py"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(),
                text=True,
            ) as process,
        ):
            try:
                told = _follow(process, words, progress)
            except BaseException:
                process.kill()
                raise
        if "differs" in told:
            raise Mismatch(f"volume {order['volume']}: {told['differs']}")
        if "done" not in told:
            raise RuntimeError(f"{order['what']} of volume {order['volume']} failed, see {log}")
        return int(told["done"])


def _follow(
    process: "subprocess.Popen[str]", order: Mapping[str, Any], progress: Callable[[int], None]
) -> dict[str, Any]:
    """Pass the order, then return the last message of the program."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the pipes are missing")
    # Not in the arguments: all users of the machine can read those.
    process.stdin.write(json.dumps(order))
    process.stdin.close()
    told: dict[str, Any] = {}
    for line in process.stdout:
        if line.startswith("{"):
            told = json.loads(line)
            progress(int(told.get("moved", 0)))
    return told
