"""The images that may be asked; their ground truth cannot be reached from here."""

from __future__ import annotations

import os.path as osp
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

import numpy as np
from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS

from ...datasets.image_reading import ImageReader, reader_of
from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError

MOVES_PIXELS = ('Crop', 'Flip', 'Mosaic', 'Pad', 'Rotate', 'TestTimeAug')
"""Transforms, by parts of their names, after which a cell is no longer where it seems."""


class KnownLabels(Protocol):
    """Labels of earlier rounds; ``RoundStore`` has these methods."""

    def asked(self, image_id: str) -> np.ndarray | None:
        """``(H, W)`` bool: pixels that were asked before; ``None`` for none."""

    def manual(self, image_id: str) -> np.ndarray | None:
        """``(H, W)`` uint8 manual labels, 255 elsewhere; ``None`` for none."""


@dataclass
class PoolImage:
    """One image of the pool.

    Attributes:
        index: Position in the pool.
        image_id: Path below the image folder, without the suffix: ``aachen/x_000``.
        size: Native height and width, as the pipeline loads the image.
        path: Path of the file.
        asked: ``(H, W)`` bool, pixels that were asked before; ``None`` for none.
        manual: ``(H, W)`` uint8 manual labels, 255 elsewhere; ``None`` for none.
        picture: Function that reads the image as people look at it, ``(H, W, 3)`` uint8 BGR.
    """

    index: int
    image_id: str
    size: tuple[int, int]
    path: str = ''
    asked: np.ndarray | None = None
    manual: np.ndarray | None = None
    picture: Callable[[], np.ndarray] | None = None

    @cached_property
    def taken(self) -> np.ndarray | None:
        """``(H, W)`` bool: pixels that were asked or labelled before; ``None`` for none."""
        taken = self.asked
        if self.manual is not None:
            labelled = self.manual != IGNORE_INDEX
            taken = labelled if taken is None else taken | labelled
        return taken if taken is not None and taken.any() else None

    @property
    def free(self) -> np.ndarray:
        """``(H, W)`` bool: pixels that may still be asked."""
        return np.ones(self.size, bool) if self.taken is None else ~self.taken


class Pool:
    """A data set of images without their masks, and the labels that are known of them.

    Args:
        dataset: A ``BaseSegDataset`` whose pipeline loads, resizes and packs images. Masks need
            not exist; their paths are removed.
        labels: Labels that earlier rounds know; ``None`` for none.
        reader: Reader of images, where the data set has no pipeline; that of the pipeline by
            default.

    Raises:
        UserError: There is no image, or the pipeline reads annotations or moves pixels.
    """

    def __init__(
        self,
        dataset: BaseDataset,
        labels: KnownLabels | None = None,
        reader: ImageReader | None = None,
    ) -> None:
        if not len(dataset):
            raise UserError('the pool has no image: correct its ann_file or data_prefix.img_path')
        for transform in _with_inner(dataset.pipeline.transforms):
            _check_transform(type(transform).__name__)
        self.dataset, self.labels = dataset, labels
        self.reader = reader or reader_of(dataset)
        for image_id in map(self.image_id, range(len(self))):
            if image_id.startswith(('../', '/')):
                raise UserError(
                    f'image {image_id} of the pool lies outside of data_prefix.img_path='
                    f'{dataset.data_prefix["img_path"]}: name a folder that holds all of them'
                )

    @classmethod
    def without_pipeline(cls, dataset: dict) -> Pool:
        """Pool of images that are read one by one, by the loader in the pipeline of their config.

        Args:
            dataset: Config of a ``BaseSegDataset`` with any pipeline.
        """
        reader = ImageReader(dataset.get('pipeline') or ())
        return cls(DATASETS.build(dict(dataset, pipeline=[])), reader=reader)

    def __len__(self) -> int:
        return len(self.dataset)

    def infos(self) -> Iterator[dict]:
        """Entries of the data set, one by one."""
        return map(self.dataset.get_data_info, range(len(self)))

    def path(self, index: int) -> str:
        """Path of an image file."""
        return self.dataset.get_data_info(index)['img_path']

    def image_id(self, index: int) -> str:
        """Path below the image folder, without the suffix."""
        return relative_path(self.dataset, index).removesuffix(self.dataset.img_suffix)

    def size(self, index: int) -> tuple[int, int]:
        """Native height and width, see :meth:`ImageReader.size`.

        Raises:
            UserError: The file is no image.
        """
        return self.reader.size(self.dataset.get_data_info(index))

    def picture(self, index: int) -> np.ndarray:
        """An image as people look at it, ``(H, W, 3)`` uint8 BGR.

        Raises:
            UserError: The file is no image.
        """
        return self.reader.picture(self.dataset.get_data_info(index))

    def image(self, index: int) -> PoolImage:
        """One image with what is known of it.

        Raises:
            UserError: A known mask is not of the image's size.
        """
        image_id, size = self.image_id(index), self.size(index)
        image = PoolImage(index, image_id, size, self.path(index))
        image.picture = partial(self.reader.picture, self.dataset.get_data_info(index))
        if self.labels is not None:
            image.asked = self.labels.asked(image_id)
            image.manual = self.labels.manual(image_id)
        for what in ('asked', 'manual'):
            mask = getattr(image, what)
            if mask is not None and mask.shape != size:
                raise UserError(
                    f'the {what} mask of {image_id} is {mask.shape}, its image {size} (height, '
                    'width): the image was replaced, so put the old one back'
                )
        return image

    def load(self, index: int) -> dict:
        """The image after the pipeline: ``inputs`` ``(3, h, w)`` and ``data_samples``."""
        info = self.dataset.get_data_info(index)
        info.pop('seg_map_path', None)
        return self.dataset.pipeline(info)


def relative_path(dataset: BaseDataset, index: int) -> str:
    """Path of an image below the image folder of its data set, if that names one."""
    path, folder = dataset.get_data_info(index)['img_path'], dataset.data_prefix.get('img_path')
    return osp.relpath(path, folder).replace(osp.sep, '/') if folder else path


def _with_inner(transforms: Iterable) -> Iterator:
    """Transforms and those inside of wrappers, as ``RandomApply`` and ``Compose`` are."""
    for transform in transforms:
        inner = transform if isinstance(transform, (list, tuple)) else ()
        if not inner:
            yield transform
            inner = getattr(transform, 'transforms', None) or ()
        yield from _with_inner(inner if isinstance(inner, Iterable) else [inner])


def _check_transform(name: str) -> None:
    if 'Annotations' in name:
        raise UserError(
            f'the pipeline of the pool has {name}, which would read the ground truth of images '
            'that nobody has labelled yet: take it out'
        )
    if any(part in name for part in MOVES_PIXELS):
        raise UserError(
            f'the pipeline of the pool has {name}, after which a pixel cannot be found in its '
            'image: load, resize and pack only'
        )
