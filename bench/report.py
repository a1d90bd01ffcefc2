# SPDX-License-Identifier: Apache-2.0
"""The results, as tables for a terminal and as values for a program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from textwrap import fill
from typing import Any

from bench.peers import STEPS
from bench.suite import Results

MIB = 1 << 20
DATERA = "datera"
TARGETS = {
    ("full", "posix-zlib"): 28.0,
    ("full", "posix-zstd"): 7.5,
    ("full", "borg"): 2.8,
    ("full", "restic"): 4.7,
    ("unchanged", "posix-zlib"): 8.0,
    ("unchanged", "posix-zstd"): 8.0,
    ("unchanged", "borg"): 4.7,
    ("unchanged", "restic"): 9.0,
    ("changed", "posix-zlib"): 8.0,
    ("changed", "posix-zstd"): 7.0,
    ("changed", "borg"): 8.0,
    ("changed", "restic"): 12.0,
    ("restore", "posix-zlib"): 12.0,
    ("restore", "posix-zstd"): 6.0,
    ("restore", "borg"): 3.0,
    ("restore", "restic"): 3.5,
}
"""The targets: how many times longer a peer should take than the Datera backend."""
LATENCY_TARGETS = {"full": 1.4, "unchanged": 2.0, "restore": 1.4}
"""How many times its quiet time the Datera backend should take at most."""
LATENCY_OF_TARGETS = 5.0
FLOOR_SHARE = 60.0
MOST_MEMORY = 96 << 20
MOST_STORED = 1.5
WIDTH = 80
NONE = "-"
NOT_APPLICABLE = "not applicable"


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the minimum, the median and the maximum."""
    return {"min": min(values), "median": median(values), "max": max(values)}


def ratios(results: Results) -> list[dict[str, Any]]:
    """Return for each peer and step how many times longer it took, for each run."""
    found = []
    own = results.figures[DATERA]
    for peer, steps in results.figures.items():
        for step, runs in steps.items():
            if peer == DATERA:
                continue
            values = _times(runs, own[step])
            target = TARGETS.get((step, peer))
            found.append({"step": step, "peer": peer, "target": target, **spread(values)})
    return found


def latencies(results: Results) -> list[dict[str, Any]]:
    """Return what latency makes of each step of each peer, and how many times its quiet time.

    ``beside`` is how many times longer it took than the Datera backend with the same latency.
    """
    found = []
    for peer, steps in results.slowed.items():
        for step, runs in steps.items():
            quiet, own = results.figures[peer][step], results.slowed[DATERA][step]
            bound = peer == DATERA and results.latency == LATENCY_OF_TARGETS
            found.append(
                {
                    "step": step,
                    "peer": peer,
                    "quiet": median(run["seconds"] for run in quiet),
                    "latency": median(run["seconds"] for run in runs),
                    "target": LATENCY_TARGETS.get(step) if bound else None,
                    "beside": median(_times(runs, own)),
                    "memory": max(run["memory"] for run in runs),
                    **spread(_times(runs, quiet)),
                }
            )
    return found


def _times(some: Sequence[dict[str, float]], others: Sequence[dict[str, float]]) -> list[float]:
    return [a["seconds"] / b["seconds"] for a, b in zip(some, others, strict=True)]


def floors(results: Results) -> list[dict[str, Any]]:
    """Return the floor of each step that has one, in per cent of its time, for each run."""
    found = []
    for step in ("full", "unchanged", "restore"):
        values = [
            100 * one["floor"][step] / ours["seconds"]
            for one, ours in zip(results.primitives, results.figures[DATERA][step], strict=True)
        ]
        found.append({"step": step, "target": FLOOR_SHARE, **spread(values)})
    return found


def summary(results: Results, about: dict[str, Any]) -> dict[str, Any]:
    """Return all results as JSON types."""
    return {
        **about,
        "image": {"bytes": results.size, "changed bytes": results.changed_bytes},
        "figures": results.figures,
        "ratios": ratios(results),
        "latency": {
            "milliseconds": results.latency,
            "figures": results.slowed,
            "ratios": latencies(results),
        },
        "primitives": results.primitives,
        "per cent of the floor": floors(results),
        "stored of the changed bytes": _stored_share(results),
    }


def _stored_share(results: Results) -> float:
    stored = median(run["stored"] for run in results.figures[DATERA]["changed"])
    return float(stored / results.changed_bytes)


def tables(results: Results, about: dict[str, Any]) -> str:
    """Return all results as Markdown, which is readable on a terminal too."""
    parts = [
        "\n".join(f"- {name}: {value}" for name, value in about["machine"].items()),
        fill(
            "- versions: " + ", ".join(f"{k} {v}" for k, v in about["versions"].items()),
            WIDTH,
            subsequent_indent="  ",
        ),
        "Seconds, medians; what was added to a process's memory at most; what was stored:\n\n"
        + _figures(results, about["absent"], "seconds"),
        *(fill(f"{peer}: {note}", WIDTH) for peer, note in about["notes"].items()),
        "The same, in processor seconds of all cores together:\n\n"
        + _figures(results, about["absent"], "processor"),
        *_servers(results),
        *_ratios(results),
        "The floor, in per cent of the time it took:\n\n"
        + markdown(
            ("step", "minimum", "median", "maximum", "target"),
            ((r["step"], *_three(r, ".0f"), _target(r["target"])) for r in floors(results)),
        ),
        *_with_latency(results),
        fill(
            f"The backup of the changed image stored {_stored_share(results):.2f} times the "
            f"{results.changed_bytes >> 20} MiB that had changed (at most {MOST_STORED}). The "
            f"Datera backend added {_most_memory(results) / MIB:.0f} MiB of memory (at most "
            f"{MOST_MEMORY >> 20}).",
            WIDTH,
        ),
    ]
    return "\n\n".join(parts)


def _ratios(results: Results) -> Iterator[str]:
    if list(results.figures) == [DATERA]:
        return
    heads = ["step", "peer", "minimum", "median", "maximum", "target"]
    rows = [
        [r["step"], r["peer"], *_three(r, ".1f"), _target(r["target"])] for r in ratios(results)
    ]
    if results.latency:
        heads.append(f"at {results.latency:g} ms")
        beside = {(r["step"], r["peer"]): f"{r['beside']:.1f}" for r in latencies(results)}
        for row in rows:
            row.append(beside.get((row[0], row[1]), NONE))
    yield (
        "How many times longer a peer took than the Datera backend, in the same run:\n\n"
        + markdown(heads, rows)
    )


def _with_latency(results: Results) -> Iterator[str]:
    if not results.latency:
        return
    rows: list[tuple[str, ...]] = [
        (
            r["step"],
            r["peer"],
            f"{r['quiet']:.2f}",
            f"{r['latency']:.2f}",
            f"{r['median']:.1f}",
            _target(r["target"]),
            f"{r['memory'] / 1e6:.0f} MB",
        )
        for r in latencies(results)
    ]
    rows += [
        (NOT_APPLICABLE, peer, *[NONE] * 3, "", NONE)
        for peer in results.figures
        if peer not in results.slowed
    ]
    slow = f"{results.latency:g} ms"
    yield (
        f"Seconds with {slow} for each request of source, container and volume, beside the\n"
        "quiet ones of the same run (medians), and how many times as long that is:\n\n"
        + markdown(("step", "peer", "quiet", slow, "times", "target", "memory"), rows)
    )


def _most_memory(results: Results) -> float:
    return max(
        run["memory"]
        for figures in (results.figures, results.slowed)
        for runs in figures.get(DATERA, {}).values()
        for run in runs
    )


def _figures(results: Results, absent: Sequence[str], what: str) -> str:
    heads = (what, *STEPS, "memory", "stored")
    rows = []
    figures = list(results.figures.items())
    if results.slowed:
        figures.insert(1, (f"{DATERA}, {results.latency:g} ms", results.slowed[DATERA]))
    for peer, steps in figures:
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
    return markdown(heads, rows)


def _servers(results: Results) -> Iterator[str]:
    for peer, steps in results.figures.items():
        took = {step: median(run["servers"] for run in runs) for step, runs in steps.items()}
        if any(took.values()):
            each = ", ".join(f"{step} {seconds:.2f}" for step, seconds in took.items())
            yield fill(f"{peer}: its servers took of the cores besides: {each}", WIDTH)


def _three(spread_: dict[str, Any], form: str) -> tuple[str, str, str]:
    low, middle, high = (format(spread_[name], form) for name in ("min", "median", "max"))
    return low, middle, high


def _target(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown, its columns aligned for a terminal."""
    # Not prettytable: its Markdown has two names, and no release of it has both without a warning.
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
