# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.inside PEER STEP FOLDER IMAGE``: one measurement, in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str]) -> None:
    """Measure, and print what was found as one line of JSON."""
    peer, step, folder, image = arguments
    print(json.dumps(_measure(peer, step, Path(folder), Path(image))))


def _measure(peer: str, step: str, folder: Path, image: Path) -> dict[str, Any]:
    # Each is imported where it is measured: the memory of one is none of the others' business.
    if peer == "primitives":
        from bench import primitives

        return primitives.measure(image)
    if peer.startswith("datera"):
        from bench import datera_steps
        from datera_backup.container import Digest

        if step == "restore":
            return datera_steps.restore(folder, image)
        digest = Digest.BLAKE3 if peer.endswith("blake3") else Digest.SHA256
        return datera_steps.back_up(folder, image, step, digest)
    from bench import cinder_steps

    if step == "restore":
        return cinder_steps.restore(folder, image, peer)
    return cinder_steps.back_up(folder, image, step, peer)


if __name__ == "__main__":
    main(sys.argv[1:])
