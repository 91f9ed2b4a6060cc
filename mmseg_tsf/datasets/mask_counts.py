"""Counts of the classes in the masks of a data set, and what they say about the masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..models.utils.labels import IGNORE_INDEX
from ..utils.errors import UserError, some_of


@dataclass
class MaskCounts:
    """Counts by class id over the masks of a data set; index 255 is that of pixels without label.

    Attributes:
        masks: Number of masks.
        pixels: ``(256,)`` pixels of each id.
        shown: ``(256,)`` masks that show each id.
        beside_void: ``(256,)`` masks that show each id, and 255 too.
        empty: Number of masks without a labelled pixel.
    """

    masks: int = 0
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    shown: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    beside_void: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    empty: int = 0

    @classmethod
    def of(cls, ids: np.ndarray) -> MaskCounts:
        """Counts of one mask ``(H, W)`` uint8."""
        pixels = np.bincount(ids.ravel(), minlength=256)
        shown = (pixels > 0).astype(np.int64)
        is_empty = not shown[:IGNORE_INDEX].any()
        return cls(1, pixels, shown, shown * shown[IGNORE_INDEX], int(is_empty))

    def add(self, other: MaskCounts) -> None:
        """Adds the counts of other masks."""
        self.masks += other.masks
        self.pixels = self.pixels + other.pixels
        self.shown = self.shown + other.shown
        self.beside_void = self.beside_void + other.beside_void
        self.empty += other.empty

    @property
    def void(self) -> float:
        """Percent of the pixels that have no label; 0 without masks."""
        return 100 * float(self.pixels[IGNORE_INDEX]) / max(1, int(self.pixels.sum()))

    def absent(self, classes: Sequence[str]) -> list[str]:
        """Names of the classes without a labelled pixel."""
        return [name for name, pixels in zip(classes, self.pixels, strict=False) if not pixels]


def check_void(counts: MaskCounts, classes: Sequence[str], name: str) -> None:
    """Checks that 255, which means "no label", does not stand for a class.

    With at most one class in all masks, a network learns nothing but that class, and a validation
    reports 100 %. If 255 occurs besides, it is taken for another class, as in masks of 0 and 255.

    Args:
        counts: Counts over all masks of the data set.
        classes: Class names in the order of their ids.
        name: Config key of the data set.

    Raises:
        UserError: No class, or a single one of several, occurs beside 255.
    """
    absent = counts.absent(classes)
    if len(classes) - len(absent) > 1 or len(classes) < 2 or not counts.pixels[IGNORE_INDEX]:
        return
    only = [own for own in classes if own not in absent]
    beside = f'the class {only[0]!r} and ' if only else ''
    remedy = (
        f'if 255 stands for {absent[-1]!r}, write {len(classes) - 1} there '
        f'(255 -> {len(classes) - 1})'
        if len(classes) == 2
        else 'if 255 stands for a class, write the id of that class there'
    )
    raise UserError(
        f'{name}: its {counts.masks} masks hold {beside}255 alone ({counts.void:.1f} % of the '
        f'pixels), and 255 means "no label", so {some_of(map(repr, absent))} would never be seen: '
        f'{remedy}; if 255 is right, add an image that shows another class'
    )


def check_several_classes(counts: MaskCounts, classes: Sequence[str], name: str) -> None:
    """Checks that more than one class is labelled, where nobody will label more.

    Args:
        counts: Counts over all masks of the data set.
        classes: Class names in the order of their ids.
        name: Config key of the data set.

    Raises:
        UserError: All labelled pixels have one class, and there are several.
    """
    absent = counts.absent(classes)
    if counts.masks and len(classes) > 1 and len(classes) - len(absent) == 1:
        (only,) = (own for own in classes if own not in absent)
        raise UserError(
            f'{name}: every labelled pixel of its {counts.masks} masks has the class {only!r}, so '
            f'{some_of(map(repr, absent))} cannot be learnt: add images that show them, or correct '
            'the masks'
        )


def remarks(counts: MaskCounts, classes: Sequence[str], name: str) -> list[str]:
    """Sentences on masks that may be right but should be looked at.

    Args:
        counts: Counts over all masks of the data set.
        classes: Class names in the order of their ids.
        name: Config key of the data set.
    """
    if not counts.masks:
        return []
    found, absent = [], counts.absent(classes)
    if absent:
        found.append(
            f'{name}: {len(absent)} of {len(classes)} classes have no labelled pixel in its '
            f'{counts.masks} masks ({", ".join(absent)})'
        )
    if counts.empty:
        found.append(f'{name}: {counts.empty} of {counts.masks} masks have no labelled pixel')
    with_void = counts.shown[IGNORE_INDEX]
    if len(classes) == 2 and counts.shown[1] and with_void and not counts.beside_void[1]:
        found.append(
            f'{name}: {classes[1]!r} is in {counts.shown[1]} masks and 255 ("no label") in '
            f'{with_void}, but never both in one: if 255 stands for {classes[1]!r} in some files, '
            'write 1 there'
        )
    return found
