"""Answers that people corrected after their round was closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError, some_of
from ..oracles.folder import answer_file, read_answer, stray_answers
from ..selection.clicks import class_counts
from ..store.round_store import RoundStore
from ..store.verification import check_rounds


@dataclass
class Amended:
    """What an amendment changed.

    Attributes:
        number: Number of the round.
        images: Changed pixels by image id.
        unchanged: Number of answers that are what they were.
        late: Images that were requested, but had no answer when the round was closed.
    """

    number: int
    images: dict[str, int] = field(default_factory=dict)
    unchanged: int = 0
    late: list[str] = field(default_factory=list)


def amend(store: RoundStore, number: int, folder: Path) -> Amended:
    """Replaces answers of a closed round by those that its folder for people holds now.

    The earlier answers are kept, and nothing is charged. Images without a file keep their answer.

    Args:
        store: The rounds.
        number: Number of the round.
        folder: Folder of the round with ``answers/<image id>.png``.

    Raises:
        UserError: No answer differs, or a file is wrong, belongs to no requested image, or labels
            pixels outside of the request; nothing is written.
        StoreError: The round has no answer, or the store is damaged or cannot be written.
    """
    check_rounds(store)
    request, result = store.request(number), Amended(number)
    strays = stray_answers(answer_file(folder, 'x').parent, list(request.images))
    if strays:
        raise UserError(
            f'{folder}: {some_of(strays)} in the answers belongs to no image that round {number} '
            'requested: correct its name or take it away'
        )
    info = dict(who=store.answer(number).info.get('who') if number in store.answered() else None)
    store.write_amendment(number, _corrected(store, folder, result), info)
    return result


def _corrected(
    store: RoundStore, folder: Path, result: Amended
) -> Iterator[tuple[str, np.ndarray, dict]]:
    """Answers that differ from the stored ones; counts them."""
    num_classes = len(store.campaign()['classes'])
    request, answer = store.request(result.number), store.answer(result.number)
    for image_id in request.images:
        file = answer_file(folder, image_id)
        if not file.is_file():
            continue
        if image_id not in answer.images:
            result.late.append(image_id)
            continue
        if answer.holds(image_id, file.read_bytes()):
            result.unchanged += 1
            continue
        mask = request.mask(image_id)
        labels = read_answer(file, mask, num_classes)
        changed = int((labels != answer.labels(image_id))[mask].sum())
        if not changed:
            result.unchanged += 1
            continue
        result.images[image_id] = changed
        unlabelled = int((labels == IGNORE_INDEX)[mask].sum())
        classes = class_counts(np.where(mask, labels, IGNORE_INDEX), num_classes)
        yield image_id, labels, dict(changed=changed, unlabelled=unlabelled, classes=classes)
