"""Times of functions that take turns in one process, and the output of a benchmark."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch


def now() -> float:
    """Seconds, after the GPU, if there is one, has finished what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def take_turns(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each function in every turn; a first turn does not count.

    Args:
        runs: Functions by name; one turn calls each of them once.
        repeats: Number of turns that count.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            began = now()
            run()
            if turn:
                times[name].append(now() - began)
    return times


def ratio(first: list[float], second: list[float]) -> float:
    """Median of the ratios within each turn, since noise of the machine affects a whole turn."""
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


def show_result(result: dict, path: str | None) -> dict:
    """Prints a result as JSON, writes it to a file if one is given, and returns it."""
    text = json.dumps(result, indent=2)
    print(text)
    if path:
        Path(path).expanduser().write_text(text + '\n')
    return result
