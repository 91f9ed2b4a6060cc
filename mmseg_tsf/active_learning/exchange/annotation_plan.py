"""Regions and single pixels of a request, in the order in which annotators see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from scipy import ndimage

from ...models.utils.labels import IGNORE_INDEX
from ..selection.clicks import count_clicks
from .request import AskedImage

BANDS = 8
"""Number of horizontal bands in which an image is read, alternately to the right and back."""


@dataclass
class AnnotationPlan:
    """Regions and single pixels that annotators see of one image.

    Attributes:
        numbers: ``(H, W)`` int32 number of the region of each pixel, counted from 1; 0 for none.
        points: ``(P, 2)`` int columns and rows of the single pixels.
        left_out: Number of requested pixels that are not shown.
    """

    numbers: np.ndarray
    points: np.ndarray
    left_out: int

    @cached_property
    def num_regions(self) -> int:
        """Number of regions, without the points."""
        return int(self.numbers.max())

    @cached_property
    def shown(self) -> np.ndarray:
        """``(H, W)`` bool mask of regions and points."""
        shown = self.numbers > 0
        shown[self.points[:, 1], self.points[:, 0]] = True
        return shown

    @cached_property
    def clicks(self) -> int:
        """Estimated number of clicks, see :func:`~..selection.clicks.count_clicks`."""
        return count_clicks(self.shown)

    def regions(self) -> Iterator[np.ndarray]:
        """``(H, W)`` bool mask of each region, in order."""
        for number in range(1, self.num_regions + 1):
            yield self.numbers == number

    def describe(self) -> dict[str, int]:
        """Counts for a manifest."""
        return dict(
            regions=self.num_regions,
            points=len(self.points),
            clicks=self.clicks,
            left_out=self.left_out,
        )


def make_plan(asked: np.ndarray, join: int = 0, min_pixels: int = 1) -> AnnotationPlan:
    """Cuts a request into regions that annotators label one after the other.

    Args:
        asked: ``(H, W)`` bool mask of the request.
        join: Largest gap, in rows or columns, between islands that are joined to one region; the
            pixels in the gap are shown, but not requested.
        min_pixels: Number of requested pixels below which an island (after joining) is left out,
            unless all islands are that small.
    """
    labels, num = ndimage.label(_joined(asked, join))
    sizes = np.bincount(labels[asked], minlength=num + 1)
    shown = sizes >= min(min_pixels, sizes.max())
    shown[0] = False
    left_out = int(sizes[~shown].sum())
    single = shown & (np.bincount(labels.ravel(), minlength=num + 1) == 1)
    order = np.zeros(num + 1, np.int32)
    chosen = np.flatnonzero(shown & ~single)
    if len(chosen):
        centres = np.array(ndimage.center_of_mass(labels > 0, labels, chosen))
        order[chosen[reading_order(centres, asked.shape[0])]] = np.arange(1, len(chosen) + 1)
    points = np.argwhere(single[labels])
    points = points[reading_order(points, asked.shape[0])]
    return AnnotationPlan(order[labels], points[:, ::-1], left_out)


def predicted_pieces(image: AskedImage, plan: AnnotationPlan) -> Iterator[tuple[int, np.ndarray]]:
    """Class id and ``(H, W)`` bool mask of the predictions, one per class and region.

    Annotators can relabel or redraw each piece on its own.
    """
    if image.prelabels is None:
        return
    for region in plan.regions():
        predicted = region & image.asked & (image.prelabels != IGNORE_INDEX)
        for value in np.unique(image.prelabels[predicted]).tolist():
            yield value, predicted & (image.prelabels == value)


def _joined(asked: np.ndarray, join: int) -> np.ndarray:
    if not join:
        return asked
    window = np.ones((join + 1, join + 1), np.uint8)
    padded = np.pad(asked, join + 1).astype(np.uint8)  # gaps at the border of the image stay open
    grown = cv2.dilate(padded, window, anchor=(0, 0))
    closed = cv2.erode(grown, window, anchor=(join, join)) > 0
    return asked | closed[join + 1 : -join - 1, join + 1 : -join - 1]


def reading_order(centres: np.ndarray, height: int) -> np.ndarray:
    """Indices that sort ``(N, 2)`` rows and columns by band, alternately to the right and back.

    Args:
        centres: ``(N, 2)`` rows and columns.
        height: Height of the image.
    """
    bands = centres[:, 0] * BANDS // height
    along = np.where(bands % 2 == 0, centres[:, 1], -centres[:, 1])
    return np.lexsort((centres[:, 0], along, bands))
