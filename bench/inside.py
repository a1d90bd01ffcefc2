# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.inside PEER STEP FOLDER IMAGE MS``: one measurement, in a process of its own.

Each request to storage waits MS milliseconds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str]) -> None:
    """Measure, and print what was found as one line of JSON."""
    peer, step, folder, image, latency = arguments
    print(json.dumps(_measure(peer, step, Path(folder), Path(image), float(latency))))


def _measure(peer: str, step: str, folder: Path, image: Path, latency: float) -> dict[str, Any]:
    # Each is imported only where it is measured: its memory must not count for the others.
    if peer == "primitives":
        from bench.measuring import primitives

        return primitives.measure(image)
    if peer.startswith("datera"):
        from bench import datera_steps
        from datera_backup.container import Digest

        if step == "restore":
            return datera_steps.restore(folder, image, latency=latency)
        digest = Digest.SHA256 if peer.endswith("sha256") else Digest.BLAKE3
        return datera_steps.back_up(folder, image, step, digest=digest, latency=latency)
    from bench import cinder_steps

    if step == "restore":
        return cinder_steps.restore(folder, image, peer, latency=latency)
    return cinder_steps.back_up(folder, image, step, peer, latency=latency)


if __name__ == "__main__":
    main(sys.argv[1:])
