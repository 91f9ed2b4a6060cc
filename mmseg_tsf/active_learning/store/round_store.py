"""Requests and answers of a campaign: immutable rounds on disk, from which all else is derived.

::

    rounds/
      campaign.json                pool, classes, budget: what a resumed run must not change
      round_000/request/           manifest.json, masks/<image id>.png (1 = requested)
      round_000/answer/            manifest.json, labels/<image id>.png (class ids, 255 = none)
      amendments/amendment_000/    manifest.json, labels/<image id>.png: corrects an answered round
      labels/                      fold of the answers, read by the training; see ``LabelFolder``

Rounds and amendments are written beside their final place and then renamed, so a crash between any
two writes loses nothing. A manifest lists the sha256 of every file and the digest of the preceding
manifest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ...utils.files import StoreError, remove_leftovers, seal
from ...utils.locks import check_unlocked, lock
from .answer_index import AnswerIndex
from .campaign_file import CampaignFile
from .label_folder import LabelFolder
from .label_png import encode_labels, encode_mask
from .record_items import Info, check_inside, check_items, fill, newest
from .records import SealedAnswer, SealedRequest

CAMPAIGN = 'campaign.json'
AMENDMENTS, LABELS = 'amendments', 'labels'
MOST_ROUNDS = 1000
"""Maximum number of rounds and of amendments; the names of their folders have three digits."""


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
        self._amendments: dict[Path, SealedAnswer] = {}
        self._labels = LabelFolder(self.root / LABELS)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Excludes other runs and removes what a killed run left half written."""
        with lock(self.root / '.lock'):
            for folder in (self.root, self.root / LABELS, *self._folders()):
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
        """Answer of a round, with the amendments that exist now."""
        amendments = tuple(own for own in self.amendments() if own.number == number)
        known = self._answers.get(number)
        if known is None or known.amendments != amendments:
            known = SealedAnswer(self.folder(number) / 'answer', amendments)
            self._answers[number] = known
        return known

    def amendments(self) -> list[SealedAnswer]:
        """All amendments in their order; other processes may add some at any time."""
        folders = self.amendment_folders()
        for folder in folders:
            if folder not in self._amendments:
                self._amendments[folder] = SealedAnswer(folder)
        return [self._amendments[folder] for folder in folders]

    def amendment_folders(self) -> list[Path]:
        """Folders of the amendments in their order."""
        return sorted((self.root / AMENDMENTS).glob('amendment_[0-9][0-9][0-9]'))

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
            links = dict(round=number, previous=previous, amendment=newest(self.amendments()))
            fill(writer, SealedRequest.png_dir, items, info, encode_mask, links)
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
            checked = check_items(items, request, 'answered', 'requested')
            fill(writer, SealedAnswer.png_dir, checked, info, encode_labels, links)
        return self.answer(number)

    def write_amendment(
        self, number: int, items: Iterable[tuple[str, np.ndarray, dict]], info: dict
    ) -> SealedAnswer:
        """Writes corrected labels of images that a round has answered; nothing is charged.

        The answer is kept, and the amendment supersedes it wherever labels are read from now on.
        A run may be using the store meanwhile.

        Args:
            number: Number of the round.
            items: See :meth:`write_answer`; at least one.
            info: Further content of the manifest.

        Raises:
            StoreError: The round has no answer, an image is not in it, its labels have another
                size or cover pixels outside of the request, or there is no item.
        """
        if self.state(number) != 'answered':
            raise StoreError(
                f'{self.folder(number)} has no answer to amend: its answers are used when the run '
                'is resumed'
            )
        folder, request, answer = self.root / AMENDMENTS, self.request(number), self.answer(number)
        with lock(folder / '.lock'):
            remove_leftovers(folder)
            before = self.amendments()
            if len(before) >= MOST_ROUNDS:
                raise StoreError(f'{folder} holds at most {MOST_ROUNDS} amendments')
            links = dict(round=number, answer=answer.digest, previous=newest(before))
            path = folder / f'amendment_{len(before):03d}'
            with seal(path) as writer:
                fitting = check_items(items, answer, 'amended', 'answered')
                links['amendment'] = len(before)
                checked = check_inside(fitting, request)
                fill(writer, SealedAnswer.png_dir, checked, info, encode_labels, links)
                if not writer.files:
                    raise StoreError(
                        f'no answer differs from those of {self.folder(number)}: correct the files '
                        'that were read then'
                    )
        return SealedAnswer(path)

    def index(self, rounds: Iterable[int] | None = None) -> AnswerIndex:
        """Answers by image, listed once.

        Args:
            rounds: Numbers of the rounds; all answered rounds by default.
        """
        numbers = self.answered() if rounds is None else rounds
        return AnswerIndex((self.request(number), self.answer(number)) for number in numbers)

    def asked(self, image_id: str) -> np.ndarray | None:
        """``(H, W)`` bool mask of the pixels paid in any round, or ``None`` if there are none."""
        return self._index_of(image_id, self.answered()).asked(image_id)

    def manual(self, image_id: str, rounds: Iterable[int] | None = None) -> np.ndarray | None:
        """``(H, W)`` uint8 fold of the answers, 255 elsewhere, or ``None`` if there are none.

        For many images, :meth:`index` lists the rounds once.

        Args:
            image_id: Image.
            rounds: Numbers of the rounds to fold; all answered rounds by default.
        """
        numbers = self.answered() if rounds is None else rounds
        return self._index_of(image_id, numbers).manual(image_id)

    def fold(self, number: int) -> Iterator[tuple[str, np.ndarray]]:
        """Image ids and their :meth:`manual` labels after the answer of a round."""
        index = self.index(range(number + 1))
        for image_id in index:
            yield image_id, index.manual(image_id)

    def label_folder(self, number: int) -> Path:
        """Folder with the :meth:`fold` as PNGs, brought up to date and mended."""
        self._labels.update(number, self.index(range(number + 1)))
        return self._labels.path

    def label_problems(self) -> list[str]:
        """Problems of the label folder, one sentence each."""
        answered = set(self.answered())
        return self._labels.problems(
            lambda n: self.index(range(n + 1)).sources() if n in answered else None
        )

    def folder(self, number: int) -> Path:
        """Folder of a round, whether it exists or not."""
        return self.root / f'round_{number:03d}'

    def _index_of(self, image_id: str, numbers: Iterable[int]) -> AnswerIndex:
        """The rounds with an answer for one image."""
        return self.index(n for n in numbers if image_id in self.answer(n).images)

    def _folders(self) -> list[Path]:
        return sorted(self.root.glob('round_[0-9][0-9][0-9]'))
