"""What an oracle is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmseg.registry import DATASETS

from ...utils.errors import UserError
from ..pool.pool import Pool
from ..store.round_part import Part


@dataclass
class Pending:
    """There is no answer yet.

    Attributes:
        message: One sentence on what has to be done for there to be one.
    """

    message: str


class Oracle(ABC):
    """Answers requests; the main process asks it, once :meth:`bind` has been called.

    Attributes:
        who: Is noted with every answer.
    """

    who: str

    def bind(self, dataset: dict, work_dir: Path, num_classes: int) -> None:
        """Gets to know the run.

        Args:
            dataset: Config of the pool's images, a ``BaseSegDataset``.
            work_dir: Folder of the run.
            num_classes: K.

        Raises:
            UserError: The oracle can not answer for these images.
        """
        self.images = Pool(DATASETS.build(dict(dataset, pipeline=[])))
        self._indices = {self.images.image_id(i): i for i in range(len(self.images))}
        self.num_classes = num_classes

    def index(self, image_id: str) -> int:
        """Position of an image in ``images``.

        Raises:
            UserError: There is no such image.
        """
        if image_id not in self._indices:
            raise UserError(
                f'{image_id} was asked, but the data set of the oracle has no such image: give it '
                'the images of the pool'
            )
        return self._indices[image_id]

    def look_back(self, number: int, request: Part, answer: Part) -> None:
        """Sees a round again that was answered; called when a run begins or goes on.

        Args:
            number: Of the round.
            request: What was asked.
            answer: What was taken as its answer.
        """
        return None

    @abstractmethod
    def answer(
        self, number: int, request: Part, predict: Callable[[str], np.ndarray]
    ) -> Iterable[tuple[str, np.ndarray, dict]] | Pending:
        """Answers the request of a round; may be asked again for one it has answered.

        Args:
            number: Of the round.
            request: Which pixels of which images.
            predict: ``(H, W)`` uint8 class ids of an image by its id, by the network as it is now.

        Returns:
            Image id, ``(H, W)`` uint8 class ids at the image's own resolution (255 outside of
            the request and where nothing can be said) and notes for each image that is answered;
            images that are left out are not charged. Or what has to be done first.

        Raises:
            UserError: One sentence that names the file and the mend.
        """
