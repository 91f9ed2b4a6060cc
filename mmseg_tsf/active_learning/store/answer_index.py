"""What answered rounds say of an image, together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ...models.utils.labels import IGNORE_INDEX
from .records import SealedAnswer, SealedRequest

Round = tuple[SealedRequest, SealedAnswer]


def paid_pixels(image_id: str, rounds: Iterable[Round]) -> np.ndarray | None:
    """``(H, W)`` bool mask of the requested pixels of an image; ``None`` if there are none.

    Args:
        image_id: Image.
        rounds: Rounds that were answered for it.
    """
    mask = None
    for request, _ in rounds:
        own = request.mask(image_id)
        mask = own if mask is None else mask | own
    return mask


def fold_labels(image_id: str, rounds: Iterable[Round]) -> np.ndarray | None:
    """``(H, W)`` uint8 labels of an image; a later round wins inside of its own request.

    Args:
        image_id: Image.
        rounds: Rounds that were answered for it, in their order.

    Returns:
        np.ndarray | None: 255 where there is no label; ``None`` without rounds.
    """
    labels = None
    for request, answer in rounds:
        own = answer.labels(image_id)
        if labels is None:
            labels = np.full_like(own, IGNORE_INDEX)
        labels = np.where(request.mask(image_id), own, labels)
    return labels


class AnswerIndex:
    """Answered rounds, listed once, for work on many images.

    It knows what was answered and amended when it was made.

    Args:
        rounds: Requests and answers in the order of the rounds.
    """

    def __init__(self, rounds: Iterable[Round]) -> None:
        self._rounds = list(rounds)
        self._places: dict[str, list[int]] = {}
        for place, (_, answer) in enumerate(self._rounds):
            for image_id in answer.images:
                self._places.setdefault(image_id, []).append(place)

    def __iter__(self) -> Iterator[str]:
        """Ids of the images with an answer, in the order in which they were answered first."""
        return iter(self._places)

    def index(self) -> AnswerIndex:
        """Itself; see ``KnownLabels``."""
        return self

    def asked(self, image_id: str) -> np.ndarray | None:
        """See :func:`paid_pixels`."""
        return paid_pixels(image_id, self._of(image_id))

    def manual(self, image_id: str) -> np.ndarray | None:
        """See :func:`fold_labels`."""
        return fold_labels(image_id, self._of(image_id))

    def sources(self) -> dict[str, str]:
        """Digests of the records on which the labels of each image depend, as one text.

        An answer stands for all rounds before it, to which it is linked. Amendments follow in
        their order, so the text only grows at its end when an answer is amended.
        """
        sources, amendments = {}, {}
        for _, answer in self._rounds:
            sources.update(dict.fromkeys(answer.images, answer.digest))
            amendments.update((own.info['amendment'], own) for own in answer.amendments)
        for _, amendment in sorted(amendments.items()):
            for image_id in sources.keys() & amendment.images:
                sources[image_id] += f' {amendment.digest}'
        return sources

    def _of(self, image_id: str) -> list[Round]:
        return [self._rounds[place] for place in self._places.get(image_id, ())]
