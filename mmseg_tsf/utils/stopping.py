"""Signals that end a training after an iteration instead of in the midst of one."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator

SIGNALS = signal.SIGTERM, signal.SIGINT


class Stopped(SystemExit):
    """End of a training that a signal asked for, once its checkpoint is written.

    The exit status is that of a program which the signal has ended, 143 or 130, so that a chain of
    commands does not go on with a training that is unfinished.

    Args:
        message: What has happened, and how to go on.
        number: Number of the signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(128 + number)
        self.message = message


class StopSignals:
    """SIGTERM and SIGINT while a training runs: the first one is noted, the second one ends it.

    Attributes:
        number: Number of the signal that has come, or 0.
    """

    def __init__(self) -> None:
        self.number = 0
        self._former: dict[int, object] = {}
        self._process = os.getpid()

    def listen(self) -> None:
        """Notes signals from now on; to be called in the main thread."""
        for number in SIGNALS:
            self._former.setdefault(number, signal.signal(number, self._note))

    def restore(self) -> None:
        """Lets signals do what they did before."""
        while self._former:
            signal.signal(*self._former.popitem())

    def _note(self, number: int, frame: object) -> None:
        if os.getpid() != self._process:
            return  # a worker that was forked from here: it ends with this process
        if self.number:
            self.restore()
            os.kill(os.getpid(), number)
            return
        self.number = number
        text = 'the training stops after the next iteration; a second signal ends it at once\n'
        os.write(sys.__stderr__.fileno(), f'{signal.Signals(number).name}: {text}'.encode())


_listeners: list[StopSignals] = []


@contextlib.contextmanager
def stopping_gracefully() -> Iterator[None]:
    """Context in which signals end a training only after an iteration; for programs, not libraries.

    :class:`~mmseg_tsf.engine.hooks.stop_hook.StopHook` stops the training.
    """
    _listeners.append(StopSignals())
    try:
        yield
    finally:
        _listeners.pop().restore()
        for worker in multiprocessing.active_children():
            worker.terminate()  # the first signal; the interpreter sends the second and waits


def stop_signals() -> StopSignals | None:
    """Signals of the innermost :func:`stopping_gracefully`, or ``None`` outside of it."""
    return _listeners[-1] if _listeners else None


def worker_init(init: Callable | None = None) -> Callable | None:
    """Function for ``DataLoader.worker_init_fn`` whose workers outlive the signal of a stop.

    Many schedulers send SIGTERM to every process of a job, but the workers must serve the iteration
    that is running. The second SIGTERM, which a loader sends to a worker that does not end by
    itself, ends it.

    Args:
        init: Function that the workers call besides.
    """
    return init if stop_signals() is None else functools.partial(_outlive_first_signal, init)


def _outlive_first_signal(init: Callable | None, worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    if init is not None:
        init(worker)
