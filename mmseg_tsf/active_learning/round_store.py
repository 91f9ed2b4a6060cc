"""What was asked, answered and spent: immutable rounds on disk, from which all else is derived.

::

    rounds/
      campaign.json                pool, classes, budget: what no resumed run may change
      round_000/request/           manifest.json, masks/<image id>.png (1 = asked)
      round_000/answer/            manifest.json, labels/<image id>.png (class ids, 255 = none)
      labels/round_000/            the fold of the answers so far, for the training

Every folder is written beside its place and renamed there, so a crash between any two writes
loses nothing; every file's sha256 is in its manifest, and each manifest names the digest of the
one before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import posixpath
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from ..models.utils.pixel_losses import IGNORE_INDEX
from .files import (
    FolderWriter,
    SealedFolder,
    StoreError,
    check_unlocked,
    lock,
    remove,
    remove_leftovers,
    seal,
    write_file,
)
from .masks import encode_labels, encode_mask
from .part import Part

CAMPAIGN = 'campaign.json'


class RoundStore:
    """The rounds of one campaign.

    Args:
        root: Folder of the store; made when something is written.

    Raises:
        StoreError: From any method: something on disk is missing, foreign or altered.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._parts: dict[tuple[int, str], Part] = {}

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other runs out, and clears away what a killed one left half written."""
        with lock(self.root / '.lock'):
            for folder in (self.root, self.root / 'labels', *self._folders()):
                remove_leftovers(folder)
            yield

    def check_unlocked(self) -> None:
        """Refuses, before anything is written, to begin beside a run that holds the lock."""
        check_unlocked(self.root / '.lock')

    def check(self) -> None:
        """Refuses a store with a missing or altered file, while there may be a copy of it."""
        for number in self.numbers():
            answer = [self.answer(number)] if self.state(number) == 'answered' else []
            for part in (self.request(number), *answer):
                for problem in part.sealed.damage():
                    raise StoreError(f'{problem}: restore it from a copy, then resume')

    def open(self, campaign: dict, fixed: Iterable[str]) -> list[str]:
        """Writes down what the campaign is, or compares it with what it was.

        Args:
            campaign: Anything that JSON takes.
            fixed: Keys that a resumed run may not change.

        Returns:
            list[str]: Sentences on what else has changed.

        Raises:
            StoreError: A fixed key has changed (names it, and both values), or the file is gone.
        """
        path = self.root / CAMPAIGN
        if not path.exists() and self.numbers():
            raise StoreError(f'{path} is missing beside its rounds: restore it from a copy')
        if not path.exists():
            sealed = dict(campaign, sha256=_digest(campaign))
            write_file(path, json.dumps(sealed, indent=1).encode())
            return []
        old, campaign = self.campaign(), json.loads(json.dumps(campaign))
        changed = [key for key in {**old, **campaign} if old.get(key) != campaign.get(key)]
        for key in changed:
            if key in set(fixed):
                raise StoreError(
                    f'{key} was {_short(old.get(key))} when {self.root} was begun and is '
                    f'{_short(campaign.get(key))} now: labels were bought for the old one; put '
                    'it back, or start anew with another --work-dir'
                )
        return [
            f'{key} was {_short(old.get(key))}, is {_short(campaign.get(key))} from now on'
            for key in changed
        ]

    def campaign(self) -> dict:
        """What :meth:`open` wrote."""
        path = self.root / CAMPAIGN
        if not path.is_file():
            raise StoreError(f'{path} is missing: {self.root} holds no active-learning campaign')
        try:
            campaign = json.loads(path.read_bytes())
        except ValueError:
            campaign = {}
        if campaign.pop('sha256', None) != _digest(campaign):
            raise StoreError(f'{path} was altered after it was written: restore it from a copy')
        return campaign

    def state(self, number: int) -> str:
        """``'empty'``, ``'asked'`` or ``'answered'``."""
        folder = self._folder(number)
        if (folder / 'answer').is_dir():
            return 'answered'
        return 'asked' if (folder / 'request').is_dir() else 'empty'

    def answered(self) -> list[int]:
        """Numbers of the rounds that have an answer; they count from 0 without a gap."""
        return [number for number in self.numbers() if self.state(number) == 'answered']

    def numbers(self) -> list[int]:
        """Numbers of the rounds that have a request."""
        return [int(folder.name.split('_')[1]) for folder in self._folders()]

    def request(self, number: int) -> Part:
        """The request of a round."""
        return self._part(number, 'request', 'masks')

    def answer(self, number: int) -> Part:
        """The answer of a round."""
        return self._part(number, 'answer', 'labels')

    def write_request(
        self, number: int, items: Iterable[tuple[str, np.ndarray, dict]], info: dict
    ) -> Part:
        """Writes a round's request, once.

        Args:
            number: Of the round.
            items: Image id, ``(H, W)`` bool mask and notes for each image.
            info: Strategy, unit, seed, budget before and after, ...; goes into the manifest.
        """
        previous = self.answer(number - 1).sealed.digest if number else None
        info = dict(info, round=number, previous=previous)
        with seal(self._folder(number), 'request') as writer:
            _fill(writer, 'masks', items, info, encode_mask)
        return self.request(number)

    def write_answer(
        self, number: int, items: Iterable[tuple[str, np.ndarray, dict]], info: dict
    ) -> Part:
        """Writes a round's answer, once; see :meth:`write_request`.

        Args:
            number: Of the round.
            items: Image id, ``(H, W)`` uint8 class ids (255 outside of the request, and where
                nothing can be said) and notes for each image.
            info: Who answered, ...
        """
        info = dict(info, round=number, previous=self.request(number).sealed.digest)
        with seal(self._folder(number) / 'answer') as writer:
            _fill(writer, 'labels', items, info, encode_labels)
        return self.answer(number)

    def asked(self, image_id: str) -> np.ndarray | None:
        """``(H, W)`` bool: pixels that were asked in any round and paid; ``None`` for none."""
        mask = None
        for number in self.answered():
            if image_id in self.answer(number).images:
                own = self.request(number).array(image_id)
                mask = own if mask is None else mask | own
        return mask

    def manual(self, image_id: str, rounds: Iterable[int] | None = None) -> np.ndarray | None:
        """``(H, W)`` uint8: the fold of the answers, 255 elsewhere; ``None`` for none."""
        labels = None
        for number in self.answered() if rounds is None else rounds:
            if image_id not in self.answer(number).images:
                continue
            own = self.answer(number).array(image_id)
            if labels is None:
                labels = np.full_like(own, IGNORE_INDEX)
            labels = np.where(self.request(number).array(image_id), own, labels)
        return labels

    def fold(self, number: int) -> Iterator[tuple[str, np.ndarray]]:
        """Image ids and :meth:`manual` labels after the answer of a round."""
        rounds = range(number + 1)
        for image_id in dict.fromkeys(i for r in rounds for i in self.answer(r).images):
            yield image_id, self.manual(image_id, rounds)

    def label_folder(self, number: int) -> Path:
        """Folder of PNGs with the :meth:`fold`; made where it is missing or not what it was."""
        path = self._labels(number)
        if path.is_dir():
            if not self.label_problems(number):
                return path
            remove(path)
        items = ((image_id, labels, {}) for image_id, labels in self.fold(number))
        info = dict(round=number, previous=self.answer(number).sealed.digest)
        with seal(path) as writer:
            _fill(writer, '', items, info, encode_labels)
        return path

    def label_problems(self, number: int) -> list[str]:
        """What is wrong with the :meth:`label_folder` of a round, one sentence each."""
        try:
            sealed = SealedFolder(self._labels(number))
        except StoreError as error:
            return [str(error)]
        problems = sealed.problems()
        if sealed.manifest['previous'] != self.answer(number).sealed.digest:
            problems.append(f'{sealed.path} does not belong to its round: delete it')
        return problems

    def _part(self, number: int, name: str, folder: str) -> Part:
        key = number, name
        if key not in self._parts:
            self._parts[key] = Part(self._folder(number) / name, folder)
        return self._parts[key]

    def _folder(self, number: int) -> Path:
        return self.root / f'round_{number:03d}'

    def _labels(self, number: int) -> Path:
        return self.root / 'labels' / f'round_{number:03d}'

    def _folders(self) -> list[Path]:
        return sorted(self.root.glob('round_[0-9][0-9][0-9]'))


def _fill(writer: FolderWriter, folder: str, items, info: dict, encode) -> None:
    images = {}
    for image_id, array, notes in items:
        writer.add(posixpath.join(folder, f'{image_id}.png'), encode(array))
        images[image_id] = dict(size=list(array.shape), **notes)
    now = datetime.now(timezone.utc).isoformat(timespec='seconds')
    writer.info = dict(info, images=images, written=now)


def _digest(campaign: dict) -> str:
    return hashlib.sha256(json.dumps(campaign, sort_keys=True).encode()).hexdigest()


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + '...'
