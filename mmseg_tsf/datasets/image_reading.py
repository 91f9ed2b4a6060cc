"""Images and their sizes as the loader of a pipeline shows them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import LoadAnnotations
from mmengine.dataset import BaseDataset
from mmseg.registry import TRANSFORMS

from ..utils.errors import UserError
from ..utils.image_header import TURNING, UPRIGHT, orientation_of_file, read_header

REMEDY = 'rewrite the image without its EXIF orientation, upright as its mask is'


class ImageReader:
    """Reads images as the loader of a pipeline does, which is what networks and people see.

    A header does not say what a loader shows: OpenCV and Pillow turn an image by its EXIF
    orientation, unless the loader has ``color_type='color_ignore_orientation'``, and other
    loaders do not.

    Args:
        pipeline: Transforms of a pipeline, or their configs. Those up to the first one that gives
            an ``img`` are used, ``LoadAnnotations`` excepted; MMSeg's ``LoadImageFromFile`` where
            there is none.
    """

    def __init__(self, pipeline: Sequence = ()) -> None:
        steps = pipeline or [dict(type='LoadImageFromFile')]
        built = (TRANSFORMS.build(step) if isinstance(step, dict) else step for step in steps)
        self._steps = [step for step in built if not isinstance(step, LoadAnnotations)]
        self._turns: dict[tuple, bool] = {}

    def pixels(self, info: dict) -> np.ndarray:
        """The image ``(H, W)`` or ``(H, W, C)`` that the loader shows, in the loader's own type.

        Args:
            info: Entry of a data set, with ``img_path``.

        Raises:
            UserError: The loader cannot read the file.
        """
        results, reason = dict(info), 'no transform of the pipeline loads it'
        try:
            for step in self._steps:
                results = step(results)
                if results is None or results.get('img') is not None:
                    break
        except Exception as error:  # loaders of all kinds have errors of all kinds
            results, reason = None, str(error) or type(error).__name__
        if results is None or results.get('img') is None:
            raise UserError(
                f'image {info["img_path"]} cannot be read: replace it, or remove it from the '
                f'list ({reason})'
            )
        return results['img']

    def picture(self, info: dict) -> np.ndarray:
        """The image as people look at it, ``(H, W, 3)`` uint8 BGR.

        Of more than three channels the first three are shown; values of other types than bytes
        are stretched from the smallest to the largest.

        Args:
            info: See :meth:`pixels`.
        """
        pixels = self.pixels(info)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        pixels = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, axis=2)
        if pixels.dtype != np.uint8 and not _holds_bytes(pixels):
            pixels = cv2.normalize(
                np.nan_to_num(pixels.astype(np.float32)), None, 0, 255, cv2.NORM_MINMAX
            )
        return np.ascontiguousarray(pixels.astype(np.uint8))

    def size(self, info: dict) -> tuple[int, int]:
        """Height and width of the image that the loader shows.

        They are those of the header where it names no orientation. What the loader does with an
        orientation is seen by loading the first image of its kind.

        Args:
            info: See :meth:`pixels`.

        Raises:
            UserError: The file cannot be read, or it is too large.
        """
        found = read_header(info['img_path'])
        if found is None:
            return self.pixels(info).shape[:2]
        (height, width), orientation, kind = found
        if orientation < TURNING or height == width:
            return height, width
        key = (orientation, kind)
        if key not in self._turns:
            self._turns[key] = self.pixels(info).shape[:2] == (width, height)
        return (width, height) if self._turns[key] else (height, width)

    def check_mask(self, info: dict, shape: tuple[int, ...], path: str) -> None:
        """Checks that a mask fits the image that the loader shows, and no other reading of it.

        Args:
            info: See :meth:`pixels`.
            shape: Height and width of the mask.
            path: Path of the mask.

        Raises:
            UserError: The mask has another size, or fits the image both as it is stored and as its
                EXIF orientation turns it, so that nobody knows which is meant.
        """
        size = self.size(info)
        turned = orientation_of_file(info['img_path'])
        other = size[::-1] if turned >= TURNING else size
        if tuple(shape) == size and (turned == UPRIGHT or other != size):
            return
        if tuple(shape) == size:
            if self._ignores_orientation(info):
                return
            raise UserError(
                f'image {info["img_path"]} has the EXIF orientation {turned}, and its mask {path} '
                f'fits both the image as stored and as turned: {REMEDY}, or set '
                "color_type='color_ignore_orientation' if all masks are of images as stored"
            )
        shown, reason = f'{size[1]}x{size[0]}', 'they must have the same size'
        if turned != UPRIGHT and tuple(shape) == other:
            shown = f'{info["img_path"]} {shown} as the pipeline loads it'
            reason = f'the mask fits another reading of the EXIF orientation {turned}: {REMEDY}'
        raise UserError(f'mask {path} is {shape[1]}x{shape[0]} pixels, its image {shown}: {reason}')

    def _ignores_orientation(self, info: dict) -> bool:
        """Whether the loader was told to show images as stored, and does so with this one."""
        kinds = (getattr(step, 'color_type', '') for step in self._steps)
        told = any('ignore_orientation' in str(kind) for kind in kinds)
        return told and not np.array_equal(self.picture(info), ImageReader().picture(info))


def reader_of(dataset: BaseDataset) -> ImageReader:
    """Reader of a built data set, by its own pipeline."""
    return ImageReader(getattr(dataset.pipeline, 'transforms', ()))


def check_same_reading(infos: Sequence[dict], first: ImageReader, second: ImageReader) -> None:
    """Checks that two pipelines show images with an EXIF orientation alike.

    Args:
        infos: Entries of a data set.
        first: Reader of the training's pipeline.
        second: Reader of the pool's pipeline.

    Raises:
        UserError: They do not; the message names the first image.
    """
    seen = set()
    for info in infos:
        found = None
        with contextlib.suppress(UserError):
            found = read_header(info['img_path'])
        if found is None or found[1:] in seen or found[1] == UPRIGHT:
            continue
        seen.add(found[1:])
        if not np.array_equal(first.picture(info), second.picture(info)):
            raise UserError(
                f'image {info["img_path"]} has an EXIF orientation, and the pipelines of the '
                'training and of the pool turn it differently: give both the same loader'
            )


def _holds_bytes(pixels: np.ndarray) -> bool:
    """Whether all values are whole numbers from 0 to 255."""
    return bool(((pixels >= 0) & (pixels <= 255) & (pixels == np.floor(pixels))).all())
