# SPDX-License-Identifier: Apache-2.0
"""A program of its own that attaches a volume and fills, changes or compares it.

It is separate because attaching the emulator's volumes needs a connector inside os-brick, which
only a process started by ``python -m datera_emulator.with_connector`` has. It reads its order as
JSON from standard input, and writes lines of JSON to standard output: ``{"moved": BYTES}`` while it
works, then ``{"done": BYTES}``, or ``{"differs": TEXT}`` with exit status 3.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo import blocks
from demo.attachment import attached
from demo.servers.identity import connect

DIFFERS = 3
TELL_EVERY = 0.1


def _say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def _teller(clock: Callable[[], float] = time.monotonic) -> blocks.Progress:
    told = clock()

    def tell(moved: int) -> None:
        nonlocal told
        if clock() - told >= TELL_EVERY:
            told = clock()
            _say(moved=moved)

    return tell


def _work(order: dict[str, Any], volume: Any) -> int:
    changes = blocks.Changes(**order["changes"]) if order.get("changes") else None
    if order["what"] == "change" and changes is not None:
        return blocks.change(volume, changes, _teller())
    with Path(order["source"]).open("rb", buffering=0) as source:
        if order["what"] == "fill":
            return blocks.fill(volume, source, _teller())
        return blocks.compare(volume, source, changes, _teller())


def main() -> int:
    """Carry out the order and return the exit status."""
    order = json.load(sys.stdin)
    try:
        with attached(connect(order["cloud"]), order["volume"], Path(order["locks"])) as volume:
            done = _work(order, volume)
    except blocks.Differs as reason:
        _say(differs=str(reason))
        return DIFFERS
    _say(done=done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
