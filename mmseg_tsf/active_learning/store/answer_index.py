"""What answered rounds say of an image, together."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import numpy as np

from ...models.utils.labels import IGNORE_INDEX
from .records import SealedAnswer, SealedRequest

Round = tuple[SealedRequest, SealedAnswer]


class AnswerIndex:
    """Answered rounds, listed once, for work on many images.

    It knows what was answered and amended when it was made.

    Args:
        rounds: Requests and answers in the order of the rounds.
    """

    def __init__(self, rounds: Iterable[Round]) -> None:
        self._rounds = list(rounds)
        self._places: dict[str, list[int]] = {}
        self._last: tuple[str | None, list[np.ndarray]] = None, []
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
        """``(H, W)`` bool mask of the pixels paid in these rounds; ``None`` if there are none."""
        masks = self._masks(image_id)
        return functools.reduce(np.logical_or, masks) if masks else None

    def manual(self, image_id: str) -> np.ndarray | None:
        """``(H, W)`` uint8 labels, 255 elsewhere; ``None`` if the image has no answer.

        A later round wins inside of its own request, also where it takes a label back.
        """
        labels = None
        for mask, (_, answer) in zip(self._masks(image_id), self._of(image_id), strict=True):
            own = answer.labels(image_id)
            labels = np.full_like(own, IGNORE_INDEX) if labels is None else labels
            labels = np.where(mask, own, labels)
        return labels

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

    def _masks(self, image_id: str) -> list[np.ndarray]:
        """Requests of an image, which both questions about it need."""
        if self._last[0] != image_id:
            self._last = image_id, [request.mask(image_id) for request, _ in self._of(image_id)]
        return self._last[1]
