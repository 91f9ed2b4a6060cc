"""Thumbnails of images, labels and masks."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ...datasets.image_reading import ImageReader
from ...models.utils.grid import labels_to_grid, nearest
from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError
from ...utils.image_header import is_shown_alike

LONGEST = 320
"""Length of a thumbnail's longer side in pixels."""


def small_size(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the thumbnail of a picture; never larger than the picture."""
    factor = min(1.0, LONGEST / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def small_image(path: Path, size: tuple[int, int], reader: ImageReader) -> bytes | None:
    """JPEG thumbnail of an image file; ``None`` if the file is missing or cannot be read.

    Args:
        path: Path of the image.
        size: Height and width of the thumbnail.
        reader: Reader by the loader of the run's pipeline.
    """
    try:
        if not is_shown_alike(str(path)):
            return small_picture(reader.picture(dict(img_path=str(path))), size)
        with Image.open(path) as image:
            image.draft('RGB', (2 * size[1], 2 * size[0]))  # decodes a JPEG at about this size
            return _jpeg(image.convert('RGB'), size)
    except (OSError, UserError):
        return None


def small_picture(pixels: np.ndarray, size: tuple[int, int]) -> bytes:
    """JPEG thumbnail of ``(H, W, 3)`` uint8 BGR pixels.

    Args:
        pixels: The image.
        size: Height and width of the thumbnail.
    """
    return _jpeg(Image.fromarray(np.ascontiguousarray(pixels[..., ::-1])), size)


def _jpeg(image: Image.Image, size: tuple[int, int]) -> bytes:
    small = image.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format='JPEG', quality=85)
    return buffer.getvalue()


def small_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Dense ``(H, W)`` uint8 labels sampled at the centres of the thumbnail's cells."""
    return nearest(torch.from_numpy(labels)[None], size)[0].numpy()


def small_sparse(labels: np.ndarray, size: tuple[int, int], num_classes: int) -> np.ndarray:
    """Sparse ``(H, W)`` uint8 labels, 255 elsewhere; every labelled pixel stays visible."""
    values = torch.from_numpy(labels).long()[None]
    return labels_to_grid(values, size, num_classes)[0].numpy().astype(np.uint8)


def small_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``(h, w)`` bool: cells of the thumbnail that hold a pixel of the ``(H, W)`` bool mask."""
    labels = np.where(mask, 0, IGNORE_INDEX).astype(np.uint8)
    return small_sparse(labels, size, 1) == 0


def paint(labels: np.ndarray, palette: np.ndarray) -> bytes:
    """PNG of class ids in their colours; 255 is transparent.

    Args:
        labels: ``(H, W)`` uint8.
        palette: ``(K, 3)`` uint8.
    """
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette
    image = Image.fromarray(labels)
    image.putpalette(table.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format='PNG', transparency=IGNORE_INDEX)
    return buffer.getvalue()
