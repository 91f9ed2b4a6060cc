"""Masks as the loader of a pipeline reads them, with a check of every value."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import mmcv
import numpy as np
from mmcv.transforms import LoadAnnotations as LoadsMasks
from mmengine import fileio
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

from ..utils.errors import UserError
from .label_values import UNREADABLE, as_bytes, table_of
from .manual_pipeline import all_transforms


class MaskReader:
    """Reads masks as the loader of a pipeline does.

    MMSeg's ``LoadAnnotations`` casts whatever is in a file to bytes: 256 becomes 0, -9999 becomes
    241 and 1.5 becomes 1. Here such values are an error.

    Args:
        pipeline: Transforms of a pipeline, or their configs; the first one that loads masks is
            used, and MMSeg's own where there is none.
    """

    def __init__(self, pipeline: Sequence = ()) -> None:
        built = (TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline)
        loaders = (own for step in built for own in all_transforms(step))
        self._loader = next((own for own in loaders if isinstance(own, LoadsMasks)), None)
        self._is_stock = self._loader is None or type(self._loader) is LoadAnnotations
        self._loader = self._loader or LoadAnnotations()

    def class_ids(self, info: dict) -> np.ndarray:
        """Class ids ``(H, W)`` uint8 of a mask, 255 = no label.

        Args:
            info: Entry of a data set, with ``seg_map_path``, ``label_map`` and
                ``reduce_zero_label``.

        Raises:
            UserError: The file is damaged, has several channels, or holds values that are no ids
                of 8 bits. Loader and data set disagree on ``reduce_zero_label``.
        """
        path, problem = info['seg_map_path'], ''
        told, own = getattr(self._loader, 'reduce_zero_label', None), info.get('reduce_zero_label')
        if told is not None and bool(told) != bool(own):
            raise UserError(
                f'LoadAnnotations has reduce_zero_label={told}, but the data set of {path} has '
                f'reduce_zero_label={own}: set it in the data set alone'
            )
        try:
            if self._is_stock:
                found = self._values(path)
            else:
                found = self._loader(dict(info, seg_fields=[]))['gt_seg_map']
        except UNREADABLE as error:
            problem = f'cannot be read ({error})'
        if not problem and found.ndim != 2:
            problem = f'has {found.shape[-1]} channels, not one with class ids'
        if problem:
            raise UserError(f'mask {path} {problem}: replace it, or remove it from the list')
        ids = as_bytes(found, f'mask {path}')
        return cv2.LUT(ids, table_of(info)) if self._is_stock else ids

    def _values(self, path: str) -> np.ndarray:
        """Values of a file before MMSeg casts them to bytes."""
        content = fileio.get(path, backend_args=self._loader.backend_args)
        backend = self._loader.imdecode_backend
        return mmcv.imfrombytes(content, flag='unchanged', backend=backend).squeeze()
