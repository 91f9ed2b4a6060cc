"""An annotator who makes mistakes, for honest curves."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from scipy import ndimage

from ...models.utils.pixel_losses import IGNORE_INDEX
from ...utils.errors import UserError
from ..registry import ORACLES
from .ground_truth import GroundTruthOracle


@ORACLES.register_module()
class NoisyOracle(GroundTruthOracle):
    """Says what the ground truth says, with the mistakes that people make.

    What is asked falls into segments: connected pixels of one true class. Each segment's outline
    is drawn amiss: where another class (or void) is near, its labels are those of the ground
    truth beside it, by a shift of the segment. Then some segments are taken for another class as
    a whole, so that ``confusion`` is the expected share of wrong pixels, too. Mistakes depend on
    seed, round and image alone.

    Args:
        boundary: Largest shift along each axis, in pixels; also what is near.
        confusion: Chance that a segment gets another class: one that the image shows, where it
            shows several, else any.
        seed: Of the mistakes.
        dataset: See :class:`GroundTruthOracle`.

    Raises:
        UserError: A value is out of range; names it.
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

    def say(self, truth: np.ndarray, asked: np.ndarray, key: str) -> tuple[np.ndarray, dict]:
        """The truth with mistakes; notes how many labels they change."""
        digest = hashlib.sha256(f'{self.seed}/{key}'.encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest, 'big'))
        segments, classes = find_segments(truth, asked)
        labels = self._jitter(truth, segments, len(classes), rng)
        taken_for = self._confuse(classes, truth, rng)
        confused = taken_for != classes
        labels = np.where(confused[segments], taken_for[segments], labels)
        return labels, dict(changed=int((labels != truth)[asked].sum()))

    def _jitter(
        self, truth: np.ndarray, segments: np.ndarray, num: int, rng: np.random.Generator
    ) -> np.ndarray:
        """``(H, W)``: near a boundary the class beside the pixel, else its own."""
        if not self.boundary:
            return truth
        window = np.ones((2 * self.boundary + 1,) * 2, np.uint8)
        rows, columns = np.nonzero(cv2.dilate(truth, window) != cv2.erode(truth, window))
        shifts = rng.integers(-self.boundary, self.boundary, (num, 2), endpoint=True)
        down, right = shifts[segments[rows, columns]].T
        labels = truth.copy()
        labels[rows, columns] = truth[
            (rows + down).clip(0, truth.shape[0] - 1),
            (columns + right).clip(0, truth.shape[1] - 1),
        ]
        return labels

    def _confuse(
        self, classes: np.ndarray, truth: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """``(S,)``: the class that each segment is taken for."""
        seen = np.unique(truth[truth != IGNORE_INDEX])
        taken_for = classes.copy()
        for i in np.nonzero(rng.random(len(classes)) < self.confusion)[0]:
            others = seen[seen != classes[i]]
            if not others.size:
                others = np.setdiff1d(np.arange(self.num_classes), classes[i])
            if classes[i] != IGNORE_INDEX and others.size:
                taken_for[i] = rng.choice(others)
        return taken_for


def find_segments(truth: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected pixels (4 neighbours) of one class.

    Args:
        truth: ``(H, W)`` class ids, 255 included.
        asked: ``(H, W)`` bool; the rest belongs to segment 0, of class 255.

    Returns:
        ``(H, W)`` number of each pixel's segment and ``(S,)`` class of each segment.
    """
    segments, classes = np.zeros(truth.shape, np.int64), [IGNORE_INDEX]
    for value in np.unique(truth[asked]):
        own, num = ndimage.label(asked & (truth == value))
        segments = np.where(own > 0, own + len(classes) - 1, segments)
        classes += [value] * num
    return segments, np.asarray(classes, np.int64)
