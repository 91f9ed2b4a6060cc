"""An annotator who makes no mistakes, for simulations."""

from __future__ import annotations

import os.path as osp
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from mmseg.registry import TRANSFORMS

from ...models.utils.pixel_losses import IGNORE_INDEX
from ...utils.errors import UserError
from ..registry import ORACLES
from ..store.round_part import Part
from .base import Oracle


@ORACLES.register_module()
class GroundTruthOracle(Oracle):
    """Says what the ground truth says, inside of the request only.

    Masks are read as MMSeg reads them (``reduce_zero_label``, custom classes, suffixes), by the
    ``LoadAnnotations`` of the data set's pipeline where it has one, and never resized.

    Args:
        dataset: Config of a data set with the pool's images and their masks; by default the
            pool's own, with its ``data_prefix.seg_map_path``.
    """

    who = 'ground truth'

    def __init__(self, dataset: dict | None = None) -> None:
        self._dataset = dataset

    def bind(self, dataset: dict, work_dir: Path, num_classes: int) -> None:
        """Looks for the mask of every image, before any time is spent; see the base class."""
        dataset = self._dataset or dataset
        super().bind(dataset, work_dir, num_classes)
        for i in range(len(self.images)):
            _check_mask_exists(self.images.dataset.get_data_info(i))
        stock = dict(type='LoadAnnotations')
        steps = dataset.get('pipeline') or []
        self._load = TRANSFORMS.build(
            next((step for step in steps if step['type'] == stock['type']), stock)
        )

    def answer(
        self, number: int, request: Part, predict: Callable[[str], np.ndarray]
    ) -> Iterator[tuple[str, np.ndarray, dict]]:
        """Answers every image; see the base class."""
        for image_id in request.images:
            asked = request.array(image_id)
            labels, notes = self.say(self._truth(image_id, asked), asked, f'{number}/{image_id}')
            yield image_id, np.where(asked, labels, IGNORE_INDEX).astype(np.uint8), notes

    def say(self, truth: np.ndarray, asked: np.ndarray, key: str) -> tuple[np.ndarray, dict]:
        """What is answered, given the truth.

        Args:
            truth: ``(H, W)`` uint8 class ids.
            asked: ``(H, W)`` bool; what is said elsewhere is not used.
            key: Of round and image, for random numbers.

        Returns:
            ``(H, W)`` class ids, and notes.
        """
        return truth, {}

    def _truth(self, image_id: str, asked: np.ndarray) -> np.ndarray:
        """``(H, W)`` uint8 ground truth of an image, looked at where it is asked."""
        info = self.images.dataset.get_data_info(self.index(image_id))
        path = info['seg_map_path']
        try:
            truth = self._load(info)['gt_seg_map']
        except (OSError, SyntaxError) as error:
            raise UserError(
                f'mask {path} can not be read ({error}): write it again and resume'
            ) from None
        if truth.shape != asked.shape:
            raise UserError(
                f'mask {path} is {truth.shape} (height, width), its image {asked.shape}: they '
                'must be of one size'
            )
        foreign = set(np.unique(truth[asked]).tolist()) - {*range(self.num_classes), IGNORE_INDEX}
        if foreign:
            raise UserError(
                f'mask {path} has the class ids {sorted(foreign)}, but there are '
                f'{self.num_classes} classes (0 to {self.num_classes - 1}; 255 = ignore): relabel '
                'it or correct the classes'
            )
        return truth


def _check_mask_exists(info: dict) -> None:
    path = info.get('seg_map_path')
    if path is None:
        raise UserError(
            'the simulated annotator needs ground truth of the pool: set '
            'data_prefix.seg_map_path of the unlabelled data set, or give the oracle a dataset '
            'that has it'
        )
    if not osp.isfile(path):
        raise UserError(
            f'mask {path} does not exist, and the simulated annotator would read it: add it, or '
            'take the image off the unlabelled list'
        )
