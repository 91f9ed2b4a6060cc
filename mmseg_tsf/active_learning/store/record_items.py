"""What goes into the records of rounds: checked, written and listed in a manifest."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone

from ...models.utils.labels import IGNORE_INDEX
from ...utils.files import FolderWriter, StoreError
from .records import RoundRecord, SealedAnswer, SealedRequest

Info = dict | Callable[[dict[str, dict]], dict]


def fill(
    writer: FolderWriter, png_dir: str, items: Iterable, info: Info, encode: Callable, links: dict
) -> None:
    """Writes one PNG per image and collects the manifest."""
    images = {}
    for image_id, array, notes in items:
        if image_id in images:
            raise StoreError(f'{image_id} is given twice: give each image once')
        writer.add(posixpath.join(png_dir, f'{image_id}.png'), encode(array))
        images[image_id] = dict(size=list(array.shape), **notes)
    now = datetime.now(timezone.utc).isoformat(timespec='seconds')
    info = info(images) if callable(info) else info
    writer.info = dict(info, images=images, written=now, **links)


def newest(amendments: list[SealedAnswer]) -> str | None:
    """Digest of the last amendment; ``None`` if there is none."""
    return amendments[-1].digest if amendments else None


def check_items(
    items: Iterable[tuple], before: RoundRecord, is_now: str, was: str
) -> Iterator[tuple]:
    """Passes images on; raises for one that does not fit the record before it.

    Args:
        items: Image id, ``(H, W)`` uint8 class ids and notes for each image.
        before: Request that is answered, or answer that is amended.
        is_now: What happens to the images, as a participle for the message.
        was: What must have happened to them before.
    """
    sizes = before.sizes
    for image_id, labels, notes in items:
        if image_id not in sizes:
            raise StoreError(f'{image_id} is {is_now}, but was not {was}: leave it out')
        if labels.shape != sizes[image_id]:
            raise StoreError(
                f'the answer for {image_id} is {labels.shape}, its image {sizes[image_id]} '
                '(height, width): answer in the size of the image'
            )
        yield image_id, labels, notes


def check_inside(items: Iterable[tuple], request: SealedRequest) -> Iterator[tuple]:
    """Passes images on; raises for labels outside of the request."""
    for image_id, labels, notes in items:
        outside = int((labels != IGNORE_INDEX)[~request.mask(image_id)].sum())
        if outside:
            raise StoreError(
                f'the answer for {image_id} labels {outside} pixels outside of the request of '
                f'round {request.number}: set them to {IGNORE_INDEX}'
            )
        yield image_id, labels, notes
