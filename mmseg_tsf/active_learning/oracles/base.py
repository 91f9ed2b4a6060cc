"""Interface of an oracle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...utils.errors import UserError
from ..pool.pool import Pool
from ..store.records import SealedAnswer, SealedRequest


@dataclass
class Pending:
    """Result of an oracle that has no answer yet.

    Attributes:
        message: Sentence that says what has to be done to get an answer.
    """

    message: str


class Oracle(ABC):
    """Answers requests; runs on the main process, after :meth:`bind`.

    Attributes:
        who: Name of the annotator, which every answer records.
        annotation_dir: Folder in which annotators find the requests; ``None`` if there is none.
    """

    who: str
    annotation_dir: Path | None = None

    def bind(self, dataset: dict, work_dir: Path, num_classes: int) -> None:
        """Receives the pool and the settings of the run.

        Args:
            dataset: Config of the data set of the pool's images, a ``BaseSegDataset``.
            work_dir: Folder of the run.
            num_classes: Number of classes K.

        Raises:
            UserError: The oracle cannot answer for these images.
        """
        self.images = Pool.without_pipeline(dataset)
        self._indices = {self.images.image_id(i): i for i in range(len(self.images))}
        self.num_classes = num_classes

    def index(self, image_id: str) -> int:
        """Position of an image in ``images``.

        Raises:
            UserError: There is no such image.
        """
        if image_id not in self._indices:
            raise UserError(
                f'{image_id} was requested, but the data set of the oracle has no such image: '
                'give the oracle a data set with all images of the pool'
            )
        return self._indices[image_id]

    def look_back(self, request: SealedRequest, answer: SealedAnswer) -> None:
        """Inspects an answered round; called for each of them when a run starts or resumes.

        Args:
            request: Requested pixels.
            answer: Accepted answer.
        """
        return None

    @abstractmethod
    def answer(
        self, request: SealedRequest, predict: Callable[[str], np.ndarray]
    ) -> Iterable[tuple[str, np.ndarray, dict]] | Pending:
        """Answers a request; must give the same answer when it is called again after a crash.

        Args:
            request: Requested pixels, with the number of the round.
            predict: Function that returns the ``(H, W)`` uint8 class ids that the current network
                predicts for an image id.

        Returns:
            Image id, ``(H, W)`` uint8 class ids at the resolution of the image (255 outside of the
            request and where the class is unknown) and notes for each answered image; images that
            are left out are not charged. Or :class:`Pending`.

        Raises:
            UserError: An answer is invalid; the message names the file and the remedy.
        """
