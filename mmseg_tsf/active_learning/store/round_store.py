"""Requests and answers of a campaign: immutable rounds on disk, from which all else is derived.

::

    rounds/
      campaign.json                pool, classes, budget: what a resumed run must not change
      round_000/request/           manifest.json, masks/<image id>.png (1 = requested)
      round_000/answer/            manifest.json, labels/<image id>.png (class ids, 255 = none)
      labels/round_000/            fold of all answers up to this round, read by the training

Every folder is written beside its final place and then renamed, so a crash between any two writes
loses nothing. A manifest lists the sha256 of every file and the digest of the preceding manifest.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from ...models.utils.labels import IGNORE_INDEX
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
from .records import SealedAnswer, SealedRequest

CAMPAIGN = 'campaign.json'
MOST_ROUNDS = 1000
"""Maximum number of rounds; the names of their folders have three digits."""
Info = dict | Callable[[dict[str, dict]], dict]


class RoundStore:
    """Rounds of one campaign.

    Args:
        root: Folder of the store; created on the first write.

    Raises:
        StoreError: From every method, if something on disk is missing, foreign or altered.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._campaign = CampaignFile(self.root / CAMPAIGN)
        self._requests: dict[int, SealedRequest] = {}
        self._answers: dict[int, SealedAnswer] = {}

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Excludes other runs and removes what a killed run left half written."""
        with lock(self.root / '.lock'):
            for folder in (self.root, self.root / 'labels', *self._folders()):
                remove_leftovers(folder)
            yield

    def check_unlocked(self) -> None:
        """Raises :class:`StoreError` if another run holds the lock; writes nothing."""
        check_unlocked(self.root / '.lock')

    def open(self, campaign: dict, fixed: Iterable[str]) -> list[str]:
        """Writes the description of the campaign, or compares it with the stored one.

        Args:
            campaign: JSON-serialisable description.
            fixed: Keys that must not change once a request exists.

        Returns:
            list[str]: All other changes, one sentence each.

        Raises:
            StoreError: A fixed key has changed, or the file is missing beside existing rounds.
        """
        begun = bool(self.numbers())
        if begun and not self._campaign.path.exists():
            raise StoreError(
                f'{self._campaign.path} is missing beside its rounds: restore it from a copy'
            )
        return self._campaign.open(campaign, fixed if begun else ())

    def campaign(self) -> dict:
        """Description written by :meth:`open` or :meth:`replace_campaign`."""
        return self._campaign.read()

    def replace_campaign(self, campaign: dict) -> None:
        """Writes a changed description, see :meth:`open`."""
        self._campaign.write(campaign)

    def state(self, number: int) -> str:
        """State of a round: ``'empty'``, ``'asked'`` or ``'answered'``."""
        folder = self.folder(number)
        if (folder / 'answer').is_dir():
            return 'answered'
        return 'asked' if (folder / 'request').is_dir() else 'empty'

    def answered(self) -> list[int]:
        """Numbers of the answered rounds: 0, 1, 2, ... without a gap."""
        return [number for number in self.numbers() if self.state(number) == 'answered']

    def numbers(self) -> list[int]:
        """Numbers of the rounds that have a request."""
        return [int(folder.name.split('_')[1]) for folder in self._folders()]

    def request(self, number: int) -> SealedRequest:
        """Request of a round."""
        if number not in self._requests:
            self._requests[number] = SealedRequest(self.folder(number) / 'request')
        return self._requests[number]

    def answer(self, number: int) -> SealedAnswer:
        """Answer of a round."""
        if number not in self._answers:
            self._answers[number] = SealedAnswer(self.folder(number) / 'answer')
        return self._answers[number]

    def write_request(
        self, number: int, items: Iterable[tuple[str, np.ndarray, dict]], info: Info
    ) -> SealedRequest:
        """Writes the request of a round, once.

        Args:
            number: Number of the round.
            items: Image id, ``(H, W)`` bool mask and notes for each image.
            info: Further content of the manifest (strategy, unit, seed, ...), or a function that
                computes it from the notes of all images by their ids.
        """
        if number >= MOST_ROUNDS:
            raise StoreError(
                f'{self.root} holds at most {MOST_ROUNDS} rounds: request more in each round'
            )
        previous = self.answer(number - 1).digest if number else None
        with seal(self.folder(number), 'request') as writer:
            links = dict(round=number, previous=previous)
            _fill(writer, SealedRequest.png_dir, items, info, encode_mask, links)
        return self.request(number)

    def write_answer(
        self, number: int, items: Iterable[tuple[str, np.ndarray, dict]], info: Info
    ) -> SealedAnswer:
        """Writes the answer of a round, once; see :meth:`write_request`.

        Args:
            number: Number of the round.
            items: Image id, ``(H, W)`` uint8 class ids (255 outside of the request and where the
                class is unknown) and notes for each image.
            info: Further content of the manifest, such as who answered.

        Raises:
            StoreError: An image was not requested, or its labels have another size.
        """
        request = self.request(number)
        with seal(self.folder(number) / 'answer') as writer:
            links = dict(round=number, previous=request.digest)
            checked = _check_items(items, request)
            _fill(writer, SealedAnswer.png_dir, checked, info, encode_labels, links)
        return self.answer(number)

    def asked(self, image_id: str) -> np.ndarray | None:
        """``(H, W)`` bool mask of the pixels paid in any round, or ``None`` if there are none."""
        mask = None
        for number in self.answered():
            if image_id in self.answer(number).images:
                own = self.request(number).mask(image_id)
                mask = own if mask is None else mask | own
        return mask

    def manual(self, image_id: str, rounds: Iterable[int] | None = None) -> np.ndarray | None:
        """``(H, W)`` uint8 fold of the answers, 255 elsewhere, or ``None`` if there are none.

        Args:
            image_id: Image.
            rounds: Numbers of the rounds to fold; all answered rounds by default.
        """
        labels = None
        for number in self.answered() if rounds is None else rounds:
            if image_id not in self.answer(number).images:
                continue
            own = self.answer(number).labels(image_id)
            if labels is None:
                labels = np.full_like(own, IGNORE_INDEX)
            labels = np.where(self.request(number).mask(image_id), own, labels)
        return labels

    def fold(self, number: int) -> Iterator[tuple[str, np.ndarray]]:
        """Image ids and their :meth:`manual` labels after the answer of a round."""
        rounds = range(number + 1)
        for image_id in dict.fromkeys(i for r in rounds for i in self.answer(r).images):
            yield image_id, self.manual(image_id, rounds)

    def label_folder(self, number: int) -> Path:
        """Folder with the :meth:`fold` as PNGs; rewritten if it is missing or damaged."""
        path = self._labels(number)
        if path.is_dir():
            if not self.label_problems(number):
                return path
            remove(path)
        items = ((image_id, labels, {}) for image_id, labels in self.fold(number))
        with seal(path) as writer:
            links = dict(round=number, previous=self.answer(number).digest)
            _fill(writer, '', items, {}, encode_labels, links)
        return path

    def label_problems(self, number: int) -> list[str]:
        """Problems of the :meth:`label_folder` of a round, one sentence each."""
        try:
            sealed = SealedFolder(self._labels(number))
        except StoreError as error:
            return [str(error)]
        problems = sealed.problems()
        if sealed.manifest['previous'] != self.answer(number).digest:
            problems.append(f'{sealed.path} does not belong to its round: delete it')
        return problems

    def folder(self, number: int) -> Path:
        """Folder of a round, whether it exists or not."""
        return self.root / f'round_{number:03d}'

    def _labels(self, number: int) -> Path:
        return self.root / 'labels' / f'round_{number:03d}'

    def _folders(self) -> list[Path]:
        return sorted(self.root.glob('round_[0-9][0-9][0-9]'))


def _fill(
    writer: FolderWriter, png_dir: str, items: Iterable, info: Info, encode: Callable, links: dict
) -> None:
    """Writes one PNG per image and collects the manifest."""
    images = {}
    for image_id, array, notes in items:
        if image_id in images:
            raise StoreError(f'{image_id} is given twice: give each image once')
        writer.add(posixpath.join(png_dir, f'{image_id}.png'), encode(array))
        images[image_id] = dict(size=list(array.shape), **notes)
    now = datetime.now(timezone.utc).isoformat(timespec='seconds')
    info = info(images) if callable(info) else info
    writer.info = dict(info, images=images, written=now, **links)


def _check_items(items: Iterable[tuple], request: SealedRequest) -> Iterator[tuple]:
    """Passes the images of an answer on; raises for one that does not fit the request."""
    sizes = request.sizes
    for image_id, labels, notes in items:
        if image_id not in sizes:
            raise StoreError(f'{image_id} is answered, but was not requested: leave it out')
        if labels.shape != sizes[image_id]:
            raise StoreError(
                f'the answer for {image_id} is {labels.shape}, its image {sizes[image_id]} '
                '(height, width): answer in the size of the image'
            )
        yield image_id, labels, notes
