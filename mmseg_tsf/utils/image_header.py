"""Size and EXIF orientation of image files, from their headers."""

from __future__ import annotations

import struct

from PIL import Image, UnidentifiedImageError

from .errors import UserError

ORIENTATION, UPRIGHT = 0x0112, 1
"""EXIF tag, and its value for images that are stored upright."""
TURNING = 5
"""First EXIF orientation that exchanges height and width."""
KNOWN = range(1, 9)
WITH_METADATA = (b'eXIf', b'iTXt', b'zTXt')
"""Chunks of PNG files that can hold EXIF or XMP data; tEXt can under two keywords."""
KEYWORDS = (b'Raw profile', b'XML:com.adobe.xmp')


def read_header(path: str) -> tuple[tuple[int, int], int, tuple] | None:
    """Stored height and width, EXIF orientation and kind of an image, without decoding it.

    The orientation is 1 where the image is upright.

    Returns:
        tuple: ``((height, width), orientation, kind)``; ``None`` if only the pipeline's own loader
        can tell, because Pillow cannot open the file.

    Raises:
        UserError: The image is too large.
    """
    try:
        with Image.open(path) as image:
            orientation, (width, height) = _orientation(image, path), image.size
            if image.format == 'TIFF' and orientation >= TURNING:  # turned by Pillow already
                width, height = height, width
            return (height, width), orientation, (image.format, image.mode)
    except Image.DecompressionBombError as error:
        raise UserError(f'image {path} is too large ({error}): cut it into tiles') from None
    except (UnidentifiedImageError, OSError):
        return None


def orientation_of_file(path: str) -> int:
    """EXIF orientation of an image file, 1 to 8; 1 where Pillow cannot open it."""
    found = read_header(path)
    return UPRIGHT if found is None else found[1]


def is_shown_alike(path: str) -> bool:
    """Whether every viewer shows an image file as its pixels are stored."""
    found = read_header(path)
    return found is not None and found[1] == UPRIGHT


def _orientation(image: Image.Image, path: str) -> int:
    """EXIF orientation of an opened image, 1 to 8; 1 where it has none or a broken one.

    Args:
        image: Image that is not decoded yet.
        path: Its file.
    """
    if image.format == 'PNG' and not _png_has_metadata(path):
        return UPRIGHT  # Pillow would decode the whole image to find that out
    try:
        value = image.getexif().get(ORIENTATION, UPRIGHT)
    except Exception:  # damaged metadata raise errors of many kinds
        return UPRIGHT
    return value if value in KNOWN else UPRIGHT


def _png_has_metadata(path: str) -> bool:
    """Whether a PNG file has a chunk that may hold EXIF data; its pixels are skipped."""
    with open(path, 'rb') as file:
        file.seek(8)
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack('>I4s', header)
            if kind in WITH_METADATA:
                return True
            used = min(length, 32) if kind == b'tEXt' else 0
            if used and file.read(used).startswith(KEYWORDS):
                return True
            file.seek(length - used + 4, 1)
    return False
