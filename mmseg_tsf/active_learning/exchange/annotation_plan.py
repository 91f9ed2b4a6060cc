"""What people are shown of a request: regions in the order of reading, and single pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from scipy import ndimage

from ...models.utils.pixel_losses import IGNORE_INDEX
from ..selection.clicks import count_clicks
from .request import AskedImage

BANDS = 8
"""An image is gone through in so many bands, from left to right and back."""


@dataclass
class Plan:
    """What people are shown of one image.

    Attributes:
        numbers: ``(H, W)`` int32: which region a pixel belongs to, counted from 1; 0 is none.
        points: ``(P, 2)`` int: columns and rows of pixels that are asked on their own.
        left_out: Asked pixels that are not shown.
    """

    numbers: np.ndarray
    points: np.ndarray
    left_out: int

    @cached_property
    def num_regions(self) -> int:
        """Regions, without the points."""
        return int(self.numbers.max())

    @cached_property
    def shown(self) -> np.ndarray:
        """``(H, W)`` bool: regions and points."""
        shown = self.numbers > 0
        shown[self.points[:, 1], self.points[:, 0]] = True
        return shown

    @cached_property
    def clicks(self) -> int:
        """Estimate of the clicks that it takes, see ``masks.count_clicks``."""
        return count_clicks(self.shown)

    def regions(self) -> Iterator[np.ndarray]:
        """``(H, W)`` bool of each region, in order."""
        for number in range(1, self.num_regions + 1):
            yield self.numbers == number

    def describe(self) -> dict[str, int]:
        """Amounts of what is shown, for a manifest."""
        return dict(
            regions=self.num_regions,
            points=len(self.points),
            clicks=self.clicks,
            left_out=self.left_out,
        )


def make_plan(asked: np.ndarray, join: int = 0, min_pixels: int = 1) -> Plan:
    """Cuts a request into regions that people can label one after the other.

    Args:
        asked: ``(H, W)`` bool.
        join: Islands with gaps of up to so many rows or columns are shown as one; what lies
            between them is shown, but not asked.
        min_pixels: Islands (after joining) with fewer asked pixels are left out, unless all are.
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
        order[chosen[_reading_order(centres, asked.shape[0])]] = np.arange(1, len(chosen) + 1)
    points = np.argwhere(single[labels])
    points = points[_reading_order(points, asked.shape[0])]
    return Plan(order[labels], points[:, ::-1], left_out)


def pieces(image: AskedImage, plan: Plan) -> Iterator[tuple[int, np.ndarray]]:
    """Class id and ``(H, W)`` bool of what the network believes, region by region.

    Each piece can be given another class, or be redrawn, on its own.
    """
    if image.prelabels is None:
        return
    for region in plan.regions():
        believed = region & image.asked & (image.prelabels != IGNORE_INDEX)
        for value in np.unique(image.prelabels[believed]).tolist():
            yield value, believed & (image.prelabels == value)


def _joined(asked: np.ndarray, join: int) -> np.ndarray:
    if not join:
        return asked
    window = np.ones((join + 1, join + 1), np.uint8)
    padded = np.pad(asked, join + 1).astype(np.uint8)  # the border of the image closes nothing
    grown = cv2.dilate(padded, window, anchor=(0, 0))
    closed = cv2.erode(grown, window, anchor=(join, join)) > 0
    return asked | closed[join + 1 : -join - 1, join + 1 : -join - 1]


def _reading_order(centres: np.ndarray, height: int) -> np.ndarray:
    """Indices of ``(N, 2)`` rows and columns, band by band, there and back."""
    bands = centres[:, 0] * BANDS // height
    along = np.where(bands % 2 == 0, centres[:, 1], -centres[:, 1])
    return np.lexsort((centres[:, 0], along, bands))
