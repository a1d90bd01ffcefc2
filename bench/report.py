# SPDX-License-Identifier: Apache-2.0
"""What was found, as tables for a terminal and as values for a program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Any

from bench.peers import STEPS
from bench.suite import Results

DATERA = "datera"
TARGETS = {
    ("full", "posix-zlib"): 25.0,
    ("full", "posix-zstd"): 7.0,
    ("full", "borg"): 2.0,
    ("unchanged", "posix-zstd"): 5.0,
    ("unchanged", "borg"): 2.5,
    ("restore", "posix-zstd"): 4.0,
    ("restore", "borg"): 2.0,
}
"""How many times a peer's seconds the Datera backend shall be worth."""
FLOOR_SHARE = 60.0
MOST_MEMORY = 256 << 20
MOST_STORED = 1.5
NONE = "-"


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the least, the middle and the greatest."""
    return {"min": min(values), "median": median(values), "max": max(values)}


def ratios(results: Results) -> list[dict[str, Any]]:
    """Return for each peer and step how many times longer it took, run by run."""
    found = []
    own = results.figures[DATERA]
    for peer, steps in results.figures.items():
        for step, runs in steps.items():
            if peer == DATERA:
                continue
            values = [
                one["seconds"] / ours["seconds"] for one, ours in zip(runs, own[step], strict=True)
            ]
            target = TARGETS.get((step, peer))
            found.append({"step": step, "peer": peer, "target": target, **spread(values)})
    return found


def floors(results: Results) -> list[dict[str, Any]]:
    """Return for each step that has one its floor, in per cent of the time it took, run by run."""
    found = []
    for step in ("full", "unchanged", "restore"):
        values = [
            100 * one["floor"][step] / ours["seconds"]
            for one, ours in zip(results.primitives, results.figures[DATERA][step], strict=True)
        ]
        found.append({"step": step, "target": FLOOR_SHARE, **spread(values)})
    return found


def summary(results: Results, about: dict[str, Any]) -> dict[str, Any]:
    """Return all that was found as JSON types."""
    return {
        **about,
        "image": {"bytes": results.size, "changed bytes": results.changed_bytes},
        "figures": results.figures,
        "ratios": ratios(results),
        "primitives": results.primitives,
        "per cent of the floor": floors(results),
        "stored of the changed bytes": _stored_share(results),
    }


def _stored_share(results: Results) -> float:
    stored = median(run["stored"] for run in results.figures[DATERA]["changed"])
    return float(stored / results.changed_bytes)


def tables(results: Results, about: dict[str, Any]) -> str:
    """Return all that was found as Markdown, which is as good to read on a terminal."""
    parts = [
        "\n".join(f"- {name}: {value}" for name, value in about["machine"].items()),
        "- versions: " + ", ".join(f"{k} {v}" for k, v in about["versions"].items()),
        _figures(results, about["absent"], "seconds"),
        *(f"{peer}: {note}" for peer, note in about["notes"].items()),
        _figures(results, about["absent"], "processor"),
        *_servers(results),
        "How many times longer a peer took than the Datera backend, in the same run:\n\n"
        + _rows(
            ("step", "peer", "minimum", "median", "maximum", "target"),
            (
                (r["step"], r["peer"], *_three(r, ".1f"), _target(r["target"]))
                for r in ratios(results)
            ),
        ),
        "The floor, in per cent of the time it took:\n\n"
        + _rows(
            ("step", "minimum", "median", "maximum", "target"),
            ((r["step"], *_three(r, ".0f"), _target(r["target"])) for r in floors(results)),
        ),
        f"The backup of the changed image stored {_stored_share(results):.2f} times the "
        f"{results.changed_bytes >> 20} MiB that had changed (at most {MOST_STORED}).",
    ]
    return "\n\n".join(parts)


def _figures(results: Results, absent: Sequence[str], what: str) -> str:
    name = {"seconds": "seconds, median", "processor": "… of all cores together"}[what]
    heads = (name, *STEPS, "memory added", "stored")
    rows = []
    for peer, steps in results.figures.items():
        seconds = [
            f"{median(run[what] for run in steps[step]):.2f}" if step in steps else NONE
            for step in STEPS
        ]
        memory = max(run["memory"] for runs in steps.values() for run in runs)
        stored = sum(
            median(run["stored"] for run in runs)
            for step, runs in steps.items()
            if step != "restore"
        )
        rows.append((peer, *seconds, f"{memory / 1e6:.0f} MB", f"{stored / 1e6:.0f} MB"))
    rows += [(peer, *[NONE] * len(STEPS), "absent", NONE) for peer in absent]
    return _rows(heads, rows)


def _servers(results: Results) -> Iterator[str]:
    for peer, steps in results.figures.items():
        took = {step: median(run["servers"] for run in runs) for step, runs in steps.items()}
        if any(took.values()):
            each = ", ".join(f"{step} {seconds:.2f}" for step, seconds in took.items())
            yield f"{peer}: its servers took of the cores besides: {each}"


def _three(spread_: dict[str, Any], form: str) -> tuple[str, str, str]:
    low, middle, high = (format(spread_[name], form) for name in ("min", "median", "max"))
    return low, middle, high


def _target(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    text = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)
