# SPDX-License-Identifier: Apache-2.0
"""The primitives of every backup, measured separately: the floor of its time."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from datera_backup.container.format.codec import Codec, Decompressor, compressor
from datera_backup.container.format.geometry import Geometry, digest_function
from datera_backup.engine import EngineSettings, FileSource

MIB = 1 << 20


def measure(image: Path) -> dict[str, Any]:
    """Return the seconds of one thread for each primitive, on all bytes of an image.

    Blocks are processed in a reused buffer that was just read into.
    """
    settings, geometry = EngineSettings(), Geometry()
    size = geometry.block_size
    digest = digest_function(geometry.digest)
    compress = compressor(settings.codec, settings.level).compress
    decompress = Decompressor().decompress
    zeros = bytearray(size)
    seconds = dict.fromkeys(("read", "zero test", "digest", "compress", "decompress"), 0.0)
    bytes_of = {"read": 0, "stored": 0}
    clock = time.perf_counter
    buffer = memoryview(bytearray(MIB))

    with image.open("rb") as file:
        source = FileSource(file)
        for start, end in source.extents():
            for at in range(start, end, MIB):
                data = buffer[: min(MIB, end - at)]
                t0 = clock()
                source.readinto(at, data)
                t1 = clock()
                blocks = [data[i : i + size] for i in range(0, len(data), size)]
                t2 = clock()
                blocks = [block for block in blocks if zeros != block]
                t3 = clock()
                for block in blocks:
                    digest(block)
                t4 = clock()
                stored = [compress(block) for block in blocks]
                t5 = clock()
                for (codec, packed), block in zip(stored, blocks, strict=True):
                    if codec is not Codec.RAW:
                        decompress(codec, packed, len(block))
                t6 = clock()
                seconds["read"] += t1 - t0
                seconds["zero test"] += t3 - t2
                seconds["digest"] += t4 - t3
                seconds["compress"] += t5 - t4
                seconds["decompress"] += t6 - t5
                bytes_of["read"] += len(data)
                bytes_of["stored"] += sum(len(packed) for _, packed in stored)
    return {"seconds": seconds, "bytes": bytes_of, "cores": len(os.sched_getaffinity(0))}


def floor(found: dict[str, Any]) -> dict[str, float]:
    """Return the minimum seconds of each step: its primitives over the cores, and one read."""
    seconds, cores = found["seconds"], found["cores"]

    def least(*names: str, reads: float = 1.0) -> float:
        return float(sum(seconds[name] for name in names) / cores + seconds["read"] * reads)

    stored = found["bytes"]["stored"] / max(1, found["bytes"]["read"])
    return {
        "full": least("zero test", "digest", "compress"),
        "unchanged": least("zero test", "digest"),
        "restore": least("digest", "decompress", reads=stored),
    }
