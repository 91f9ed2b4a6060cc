"""Small round stores, and processes that end where a test wants them to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmseg_tsf.active_learning import RoundStore, StoreError
from mmseg_tsf.active_learning.selection.clicks import class_counts
from mmseg_tsf.utils import files

SIZE = (6, 8)
IDS = ('a/x', 'y')
CLASSES = ['road', 'sky', 'car']
CAMPAIGN = dict(
    classes=CLASSES,
    initial=dict(pixels=96, images=2, regions=2, clicks=0),
    available=dict(pixels=480, images=10),
    budget=dict(total=0.5, per_round=None, unit='pixels'),
    rounds=3,
    oracle='GroundTruthOracle',
    annotation_dir='annotation',
)
REFUSED = 3


def asked(number: int) -> np.ndarray:
    """``(H, W)`` bool: two rows for each round."""
    mask = np.zeros(SIZE, bool)
    mask[2 * number : 2 * number + 2] = True
    return mask


def said(number: int) -> np.ndarray:
    """``(H, W)`` uint8: the number of the round where it asks, the first pixel void."""
    labels = np.where(asked(number), number, 255).astype(np.uint8)
    labels[2 * number, 0] = 255
    return labels


def write_request(store: RoundStore, number: int) -> None:
    """Asks for two rows of both images."""
    notes = dict(pixels=16, regions=1, components=1, clicks=5)
    items = ((image_id, asked(number), notes) for image_id in IDS)
    info = dict(unit='pixels', strategy='EntropyQuery', seed=number)
    store.write_request(number, items, info)


def write_answer(store: RoundStore, number: int) -> None:
    """Answers :func:`write_request`."""
    notes = dict(classes=class_counts(said(number), len(CLASSES)))
    items = ((image_id, said(number), notes) for image_id in IDS)
    store.write_answer(number, items, dict(who='ground truth'))


def make_store(root: Path, answered: int = 2, labels: bool = False) -> RoundStore:
    """A store with some rounds."""
    store = RoundStore(root)
    store.open(CAMPAIGN, ())
    for number in range(answered):
        write_request(store, number)
        write_answer(store, number)
        if labels:
            store.label_folder(number)
    return store


def in_child(work: Callable[[], object]) -> int:
    """Exit status of a process of its own: 0, ``REFUSED`` for a ``StoreError``, else 4."""
    pid = os.fork()
    if pid == 0:
        status = 4
        try:
            work()
            status = 0
        except StoreError:
            status = REFUSED
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def snapshot(root) -> dict[str, bytes]:
    """Every file but for the time of writing and what depends on it."""
    names = ('manifest.json', 'manifest.sha256', '.lock')
    found = (p for p in root.rglob('*') if p.is_file() and p.name not in names)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in found}


def interrupt(monkeypatch, at: int, happen) -> None:
    """Lets something happen at one of the steps of writing, counted from 0."""
    count = iter(range(10**6))

    def wrapped(original, halves):
        def step(*args):
            if next(count) == at:
                if halves:
                    args[0].write_bytes(args[1][: len(args[1]) // 2])
                happen()
            return original(*args)

        return step

    monkeypatch.setattr(files, '_write_synced', wrapped(files._write_synced, True))
    monkeypatch.setattr(files, '_sync_folder', wrapped(files._sync_folder, False))
    for name in ('rename', 'replace'):
        monkeypatch.setattr(os, name, wrapped(getattr(os, name), False))
