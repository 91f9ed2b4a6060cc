"""Simulated annotators that answer with ground truth, with or without mistakes."""

from __future__ import annotations

import hashlib
import os.path as osp
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from mmseg.registry import TRANSFORMS
from scipy import ndimage

from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError
from ...utils.image_header import UPRIGHT, orientation_of_file
from ...utils.settings import kind_name
from ..registry import ORACLES
from ..store.label_png import foreign_ids
from ..store.records import SealedRequest
from .base import Oracle


@ORACLES.register_module()
class GroundTruthOracle(Oracle):
    """Answers with the ground truth, which it reads inside of the request only.

    Masks are read as MMSeg reads them (``reduce_zero_label``, custom classes, suffixes), by the
    ``LoadAnnotations`` of the data set's pipeline if it has one, and never resized.

    Args:
        dataset: Config of a data set with the pool's images and their masks; by default the
            pool's own, with its ``data_prefix.seg_map_path``.
    """

    who = 'ground truth'

    def __init__(self, dataset: dict | None = None) -> None:
        self._dataset = dataset

    def bind(self, dataset: dict, work_dir: Path, num_classes: int) -> None:
        """Checks that every image has a mask before any time is spent; see the base class."""
        dataset = self._dataset or dataset
        super().bind(dataset, work_dir, num_classes)
        stock = dict(type='LoadAnnotations')
        steps = dataset.get('pipeline') or []
        self._load = TRANSFORMS.build(
            next((step for step in steps if kind_name(step) == stock['type']), stock)
        )
        for info in self.images.infos():
            self._check_mask(info)

    def answer(
        self, request: SealedRequest, predict: Callable[[str], np.ndarray]
    ) -> Iterator[tuple[str, np.ndarray, dict]]:
        """Answers every image; see the base class."""
        for image_id in request.images:
            mask = request.mask(image_id)
            truth = self._truth(image_id, mask)
            labels, notes = self.annotate(truth, mask, f'{request.number}/{image_id}')
            yield image_id, np.where(mask, labels, IGNORE_INDEX).astype(np.uint8), notes

    def annotate(self, truth: np.ndarray, mask: np.ndarray, key: str) -> tuple[np.ndarray, dict]:
        """Labels that the annotator gives; a subclass may add mistakes.

        Args:
            truth: ``(H, W)`` uint8 class ids.
            mask: ``(H, W)`` bool mask of the request; labels outside of it are not used.
            key: Name of round and image, from which random numbers are derived.

        Returns:
            ``(H, W)`` class ids, and notes.
        """
        return truth, {}

    def _check_mask(self, info: dict) -> None:
        """Checks that a mask exists, and that only one reading of its image fits it."""
        _check_mask_exists(info)
        if orientation_of_file(info['img_path']) != UPRIGHT:
            shape = self._read(dict(info)).shape
            self.images.reader.check_mask(info, shape, info['seg_map_path'])

    def _read(self, info: dict) -> np.ndarray:
        """``(H, W)`` uint8 mask as MMSeg reads it."""
        try:
            return self._load(info)['gt_seg_map']
        except (OSError, SyntaxError) as error:
            raise UserError(
                f'mask {info["seg_map_path"]} cannot be read ({error}): write it again and resume'
            ) from None

    def _truth(self, image_id: str, mask: np.ndarray) -> np.ndarray:
        """``(H, W)`` uint8 ground truth of an image, checked inside of the request."""
        info = self.images.dataset.get_data_info(self.index(image_id))
        path, truth = info['seg_map_path'], self._read(info)
        if truth.shape != mask.shape:
            raise UserError(
                f'mask {path} is {truth.shape} (height, width), its image {mask.shape}: both must '
                'have the same size'
            )
        foreign = foreign_ids(truth[mask], self.num_classes)
        if foreign:
            raise UserError(
                f'mask {path} has the class ids {foreign}, but there are {self.num_classes} '
                f'classes (0 to {self.num_classes - 1}; 255 = ignore): relabel it or correct the '
                'classes'
            )
        return truth


@ORACLES.register_module()
class NoisyOracle(GroundTruthOracle):
    """Answers with the ground truth and the mistakes that annotators make.

    The request is cut into segments: connected pixels of one true class. First, the outline of
    each segment is displaced: pixels near another class (or void) take the label that the ground
    truth has beside them, at an offset drawn once per segment. Then some segments receive another
    class as a whole, so ``confusion`` is also the expected share of wrong pixels. The mistakes
    depend on seed, round and image only.

    Args:
        boundary: Largest offset along each axis in pixels, and the distance that counts as near.
        confusion: Probability that a segment receives another class: one that occurs in the image
            if it shows several, else any.
        seed: Seed of the mistakes.
        dataset: See :class:`GroundTruthOracle`.

    Raises:
        UserError: A value is out of range.
    """

    def __init__(
        self,
        boundary: int = 0,
        confusion: float = 0.0,
        seed: int = 0,
        dataset: dict | None = None,
    ) -> None:
        super().__init__(dataset)
        if not isinstance(boundary, int) or boundary < 0:
            raise UserError(f'oracle.boundary={boundary!r} must be a number of pixels, 0 or more')
        if not 0 <= confusion <= 1:
            raise UserError(f'oracle.confusion={confusion} must be in [0, 1]')
        self.boundary, self.confusion, self.seed = boundary, confusion, seed
        self.who = f'ground truth with mistakes (boundary={boundary}, confusion={confusion})'

    def annotate(self, truth: np.ndarray, mask: np.ndarray, key: str) -> tuple[np.ndarray, dict]:
        """Labels with mistakes; notes the number of requested pixels that they change."""
        digest = hashlib.sha256(f'{self.seed}/{key}'.encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest, 'big'))
        segments, classes = find_segments(truth, mask)
        labels = self._displace(truth, segments, len(classes), rng)
        given = self._confuse(classes, truth, rng)
        confused = given != classes
        labels = np.where(confused[segments], given[segments], labels)
        return labels, dict(changed=int((labels != truth)[mask].sum()))

    def _displace(
        self, truth: np.ndarray, segments: np.ndarray, num: int, rng: np.random.Generator
    ) -> np.ndarray:
        """``(H, W)``: near a boundary the class beside the pixel, elsewhere its own."""
        if not self.boundary:
            return truth
        window = np.ones((2 * self.boundary + 1,) * 2, np.uint8)
        rows, columns = np.nonzero(cv2.dilate(truth, window) != cv2.erode(truth, window))
        offsets = rng.integers(-self.boundary, self.boundary, (num, 2), endpoint=True)
        down, right = offsets[segments[rows, columns]].T
        labels = truth.copy()
        labels[rows, columns] = truth[
            (rows + down).clip(0, truth.shape[0] - 1),
            (columns + right).clip(0, truth.shape[1] - 1),
        ]
        return labels

    def _confuse(
        self, classes: np.ndarray, truth: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """``(S,)`` class that each segment receives."""
        present = np.unique(truth[truth != IGNORE_INDEX])
        given = classes.copy()
        for i in np.nonzero(rng.random(len(classes)) < self.confusion)[0]:
            others = present[present != classes[i]]
            if not others.size:
                others = np.setdiff1d(np.arange(self.num_classes), classes[i])
            if classes[i] != IGNORE_INDEX and others.size:
                given[i] = rng.choice(others)
        return given


def find_segments(truth: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected pixels (4 neighbours) of one class.

    Args:
        truth: ``(H, W)`` class ids, 255 included.
        mask: ``(H, W)`` bool; all other pixels belong to segment 0, of class 255.

    Returns:
        ``(H, W)`` number of each pixel's segment and ``(S,)`` class of each segment.
    """
    segments, classes = np.zeros(truth.shape, np.int64), [IGNORE_INDEX]
    for value in np.unique(truth[mask]):
        own, num = ndimage.label(mask & (truth == value))
        segments = np.where(own > 0, own + len(classes) - 1, segments)
        classes += [value] * num
    return segments, np.asarray(classes, np.int64)


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
            f'mask {path} does not exist, but the simulated annotator needs it: add it, or remove '
            'the image from the unlabelled list'
        )
