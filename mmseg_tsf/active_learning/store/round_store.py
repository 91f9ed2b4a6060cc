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
import posixpath
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from ...models.utils.pixel_losses import IGNORE_INDEX
from ...utils.files import (
    FolderWriter,
    SealedFolder,
    StoreError,
    check_unlocked,
    lock,
    remove,
    remove_leftovers,
    seal,
)
from .campaign_file import CampaignFile
from .label_png import encode_labels, encode_mask
from .round_part import Part

CAMPAIGN = 'campaign.json'
MOST_ROUNDS = 1000  # their folders have three digits
Info = dict | Callable[[dict[str, dict]], dict]


class RoundStore:
    """The rounds of one campaign.

    Args:
        root: Folder of the store; made when something is written.

    Raises:
        StoreError: From any method: something on disk is missing, foreign or altered.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._campaign = CampaignFile(self.root / CAMPAIGN)
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
        """Refuses a store with a missing, altered or exchanged file, while there may be a copy."""
        numbers = self.numbers()
        for number in numbers:
            answer = [self.answer(number)] if self.state(number) == 'answered' else []
            for part in (self.request(number), *answer):
                for problem in part.sealed.damage():
                    raise StoreError(f'{problem}: restore it from a copy, then resume')
        for number in range(len(numbers)):
            problem = self.request_problem(number) or self.answer_problem(number)
            if problem:
                raise StoreError(f'{problem}: restore it from a copy, then resume')

    def request_problem(self, number: int) -> str:
        """Why a request does not follow from the answer before it; empty where it does.

        Raises:
            StoreError: One of them can not be read.
        """
        if self.state(number) == 'empty':
            return f'{self._folder(number)}/request is missing'
        if number and self.state(number - 1) != 'answered':
            return f'{self._folder(number - 1)}/answer is missing'
        part, origin = self.request(number), self.answer(number - 1) if number else None
        return '' if not number or _follows(part, origin, number) else _exchanged(part, origin)

    def answer_problem(self, number: int) -> str:
        """Why an answer does not fit its request; empty where it does, or where there is none.

        Raises:
            StoreError: One of them can not be read.
        """
        if self.state(number) != 'answered':
            return ''
        part, origin = self.answer(number), self.request(number)
        sizes, own = ({i: n['size'] for i, n in p.images.items()} for p in (origin, part))
        fits = _follows(part, origin, number) and own.items() <= sizes.items()
        return '' if fits else _exchanged(part, origin)

    def open(self, campaign: dict, fixed: Iterable[str]) -> list[str]:
        """Writes down what the campaign is, or compares it with what it was.

        Args:
            campaign: Anything that JSON takes.
            fixed: Keys that a resumed run may not change.

        Returns:
            list[str]: What else has changed; before the first request nothing is fixed.

        Raises:
            StoreError: A fixed key has changed (names it, and both values), or the file is gone.
        """
        begun = bool(self.numbers())
        if begun and not self._campaign.path.exists():
            raise StoreError(
                f'{self._campaign.path} is missing beside its rounds: restore it from a copy'
            )
        return self._campaign.open(campaign, fixed if begun else ())

    def campaign(self) -> dict:
        """What :meth:`open` wrote, or :meth:`replace_campaign`."""
        return self._campaign.read()

    def replace_campaign(self, campaign: dict) -> None:
        """Writes down what has changed, see :meth:`open`."""
        self._campaign.write(campaign)

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
        self, number: int, items: Iterable[tuple[str, np.ndarray, dict]], info: Info
    ) -> Part:
        """Writes a round's request, once.

        Args:
            number: Of the round.
            items: Image id, ``(H, W)`` bool mask and notes for each image.
            info: Strategy, unit, seed, budget before and after, ...; goes into the manifest. Or
                what makes that of the notes of all images, by their ids.
        """
        if number >= MOST_ROUNDS:
            raise StoreError(f'{self.root} takes {MOST_ROUNDS} rounds: ask for more in each')
        previous = self.answer(number - 1).sealed.digest if number else None
        with seal(self._folder(number), 'request') as writer:
            _fill(writer, 'masks', items, info, encode_mask, round=number, previous=previous)
        return self.request(number)

    def write_answer(
        self, number: int, items: Iterable[tuple[str, np.ndarray, dict]], info: Info
    ) -> Part:
        """Writes a round's answer, once; see :meth:`write_request`.

        Args:
            number: Of the round.
            items: Image id, ``(H, W)`` uint8 class ids (255 outside of the request, and where
                nothing can be said) and notes for each image.
            info: Who answered, ...

        Raises:
            StoreError: An answer to what was not asked, or of another size; see the class, too.
        """
        request = self.request(number)
        previous, items = request.sealed.digest, _asked_alone(items, request)
        with seal(self._folder(number) / 'answer') as writer:
            _fill(writer, 'labels', items, info, encode_labels, round=number, previous=previous)
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
        previous = self.answer(number).sealed.digest
        with seal(path) as writer:
            _fill(writer, '', items, {}, encode_labels, round=number, previous=previous)
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


def _fill(writer: FolderWriter, folder: str, items, info: Info, encode, **links) -> None:
    images = {}
    for image_id, array, notes in items:
        if image_id in images:
            raise StoreError(f'{image_id} is there twice: give each image once')
        writer.add(posixpath.join(folder, f'{image_id}.png'), encode(array))
        images[image_id] = dict(size=list(array.shape), **notes)
    now = datetime.now(timezone.utc).isoformat(timespec='seconds')
    info = info(images) if callable(info) else info
    writer.info = dict(info, images=images, written=now, **links)


def _asked_alone(items: Iterable[tuple[str, np.ndarray, dict]], request: Part) -> Iterator[tuple]:
    """The items of an answer, as long as they fit its request."""
    for image_id, labels, notes in items:
        if image_id not in request.images:
            raise StoreError(f'{image_id} is answered, but nothing was asked of it: leave it out')
        size = tuple(request.images[image_id]['size'])
        if labels.shape != size:
            raise StoreError(
                f'the answer for {image_id} is {labels.shape}, its image {size} (height, width): '
                'answer in the size of the image'
            )
        yield image_id, labels, notes


def _follows(part: Part, origin: Part, number: int) -> bool:
    return part.info['round'] == number and part.info['previous'] == origin.sealed.digest


def _exchanged(part: Part, origin: Part) -> str:
    return f'{part.sealed.path} does not belong to {origin.sealed.path}: one was exchanged'
