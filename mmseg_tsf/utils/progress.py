"""Progress of long loops: a bar in terminals, lines of text elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from mmengine.dist import is_main_process

Item = TypeVar('Item')


def track(
    items: Iterable[Item],
    title: str,
    total: int | None = None,
    say: Callable[[str], object] | None = None,
    every: float = 60.0,
) -> Iterator[Item]:
    """Yields the items and shows the progress with an estimate of the remaining time.

    Only the main process shows progress. It shows a transient bar if stderr is a terminal and rich
    is installed; otherwise it reports lines of text from time to time.

    Args:
        items: Items to iterate over.
        title: Description of the loop.
        total: Number of items; their length by default.
        say: Function that receives a line of text if there is no bar; ``None`` reports nothing.
        every: Minimum number of seconds between two lines.
    """
    if total is None:
        total = len(items) if isinstance(items, Sized) else 0
    bar = _bar() if is_main_process() and total else None
    if bar is not None:
        with bar:
            yield from bar.track(items, total=total, description=title)
    elif say is not None and is_main_process() and total:
        yield from _said(items, title, total, say, every)
    else:
        yield from items


def _bar():
    """Progress bar of rich; ``None`` without a terminal or without rich."""
    if not sys.stderr.isatty():
        return None
    try:
        from rich import progress
        from rich.console import Console
    except ImportError:
        return None
    return progress.Progress(
        progress.TextColumn('{task.description}'),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        transient=True,
    )


def _said(
    items: Iterable[Item], title: str, total: int, say: Callable[[str], object], every: float
) -> Iterator[Item]:
    began = last = time.perf_counter()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.perf_counter()
        if now - last >= every and done < total:
            last = now
            left = in_words((now - began) / done * (total - done))
            say(f'{title}: {done} of {total}, about {left} left')


def in_words(seconds: float) -> str:
    """Duration in a suitable unit: ``'40 s'``, ``'3 min'``, ``'2 h 05 min'``."""
    if seconds < 10:
        return f'{seconds:.1f} s'
    if seconds < 99.5:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    if minutes < 100:
        return f'{minutes} min'
    return f'{minutes // 60} h {minutes % 60:02d} min'
