"""Gallery of a round: thumbnails of images, pseudo-labels, requests and answers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from ...active_learning.store.label_png import decode
from ...active_learning.store.round_store import RoundStore
from ...datasets.image_reading import ImageReader
from ...models.utils.labels import IGNORE_INDEX
from ...utils.config_data import check_types
from ...utils.files import SealedFolder, remove, remove_leftovers
from ..drawing.palette import safe_palette
from ..drawing.thumbnails import paint, small_image, small_mask, small_size, small_sparse
from ..snapshots import most_asked, read_snapshot

IMAGES, PANELS = 'img', 'panels.json'
FORMAT = 1
"""Version of the pictures; those of another version are drawn again."""
LAYERS = dict(
    pseudo='Pseudo-label',
    errors='Error mask',
    refined='Refined labels',
    request='Request',
    answer='Answer',
)
"""Overlays of an image and their titles, in the order in which a round makes them."""
COLOURED = ('pseudo', 'refined', 'answer')
"""Overlays in class colours; they are drawn once for each palette."""
ERROR_COLOURS = np.array([[213, 94, 0], [86, 180, 233]], np.uint8)  # left open, decided
REQUEST_COLOUR = np.array([[255, 255, 255]], np.uint8)


@dataclass
class PoolData:
    """Palette and image paths of the pool, without reading the list of its images.

    Attributes:
        classes: Names of the classes.
        cfg: Dumped config of the run; ``None`` if it is missing.
    """

    classes: list[str]
    cfg: Config | None

    @cached_property
    def dataset(self):
        """Data set without its list of images; ``None`` if it cannot be built."""
        with contextlib.suppress(Exception):  # the user's own code may not be importable here
            init_default_scope('mmseg')
            source = self.cfg.train_dataloader.dataset
            source = source.get('unlabelled') or source.get('labelled') or source
            check_types(source.to_dict(), 'the run')
            return DATASETS.build(dict(source, pipeline=[], lazy_init=True))
        return None

    @cached_property
    def reader(self) -> ImageReader:
        """Reader by the loader of the unlabelled images; MMSeg's own if it cannot be built."""
        with contextlib.suppress(Exception):  # the user's own code may not be importable here
            init_default_scope('mmseg')
            return ImageReader(self.cfg.train_dataloader.dataset.unlabelled.pipeline)
        return ImageReader()

    @cached_property
    def palette(self) -> np.ndarray:
        """``(K, 3)`` uint8: the data set's own colours, or the safe palette if it has none."""
        palette = []
        if self.dataset is not None:  # an empty data set is false
            palette = self.dataset.metainfo.get('palette') or []
        if len(palette) != len(self.classes):
            return self.safe_palette
        return np.asarray(palette, np.uint8)

    @cached_property
    def safe_palette(self) -> np.ndarray:
        """``(K, 3)`` uint8, see :func:`~mmseg_tsf.reporting.drawing.palette.safe_palette`."""
        return safe_palette(len(self.classes))

    def path(self, image_id: str) -> Path:
        """Path of the image with this id."""
        if self.dataset is None:
            return Path(image_id)
        folder = self.dataset.data_prefix.get('img_path') or ''
        return Path(folder, f'{image_id}{self.dataset.img_suffix}')


def draw_round(
    work_dir: Path, store: RoundStore, number: int, data: PoolData, out: Path, limit: int
) -> dict:
    """Writes ``img/round_<number>/`` beside the page, unless it is up to date.

    Args:
        work_dir: Folder of the run.
        store: Store of the rounds.
        number: Number of the round.
        data: Palette and image paths of the pool.
        out: Folder of the page.
        limit: Maximum number of images.

    Returns:
        dict: ``panels``, dicts with ``id``, ``size``, counts of pixels and ``layers`` (paths
        relative to ``out``; two where a layer is drawn in both palettes); ``quality``; and whether
        a ``snapshot`` was kept.
    """
    snapshot = read_snapshot(work_dir, store, number)
    chosen = snapshot.manifest['order'][:limit] if snapshot else most_asked(store, number, limit)
    folder = out / IMAGES / f'round_{number:03d}'
    key = _key(store, number, data, snapshot, chosen)
    there = _read(folder)
    if there.get('key') == key:
        return there
    if folder.exists():
        remove(folder)
    panels = []
    with _beside(folder) as temporary:
        for i, image_id in enumerate(chosen):
            panel = _describe(store, number, image_id, snapshot)
            for name, content in _pictures(store, number, image_id, data, snapshot):
                file = f'{i:02d}_{name}'
                (temporary / file).write_bytes(content)
                layer, place = name.split('.')[0], f'{IMAGES}/{folder.name}/{file}'
                panel['layers'].setdefault(layer, []).append(place)
            panels.append(panel)
        quality = snapshot.manifest['quality'] if snapshot else {}
        info = dict(key=key, panels=panels, quality=quality, snapshot=bool(snapshot))
        (temporary / PANELS).write_text(json.dumps(info))
    return info


@contextlib.contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Temporary folder that is renamed to ``folder`` at the end; not synced to disk."""
    remove_leftovers(folder.parent)
    temporary = folder.with_name(f'.{folder.name}.{uuid.uuid4().hex}')
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _read(folder: Path) -> dict:
    try:
        return json.loads((folder / PANELS).read_text())
    except (OSError, ValueError):
        return {}


def tidy(out: Path, numbers: list[int]) -> None:
    """Removes the pictures of rounds that the run no longer has."""
    known = {f'round_{number:03d}' for number in numbers}
    for folder in (out / IMAGES).glob('round_[0-9][0-9][0-9]'):
        if folder.name not in known:
            remove(folder)


def _key(store: RoundStore, number: int, data: PoolData, snapshot, chosen: list[str]) -> str:
    """Hash of everything on which the pictures of a round depend."""
    answered = store.state(number) == 'answered'
    parts = [
        FORMAT,
        store.request(number).digest,
        store.answer(number).version if answered else None,
        snapshot.digest if snapshot else None,
        data.palette.tolist(),
        chosen,
        snapshot is None and [data.path(image_id).is_file() for image_id in chosen],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _describe(store: RoundStore, number: int, image_id: str, snapshot) -> dict:
    notes = store.request(number).images[image_id]
    answers = store.answer(number).images if store.state(number) == 'answered' else {}
    height, width = small_size(tuple(notes['size']))
    believed = snapshot.manifest['images'][image_id] if snapshot else {}
    return dict(
        id=image_id,
        size=[height, width],
        pixels=notes['pixels'],
        regions=notes['regions'],
        classes=answers.get(image_id, {}).get('classes', []),
        known=believed.get('known', 0),
        wrong=believed.get('wrong', 0),
        layers={},
    )


def _pictures(
    store: RoundStore, number: int, image_id: str, data: PoolData, snapshot
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of one image's files, such as ``image.jpg`` and ``pseudo.safe.png``."""
    request = store.request(number)
    size = small_size(tuple(request.images[image_id]['size']))
    kept = _kept(snapshot, image_id)
    image = kept.get('image.jpg') or small_image(data.path(image_id), size, data.reader)
    if image is not None:
        yield 'image.jpg', image
    for layer in ('pseudo', 'refined'):
        if f'{layer}.png' in kept:
            yield from _in_both_palettes(layer, decode(kept[f'{layer}.png'], layer), data)
    if 'errors.png' in kept:
        yield 'errors.png', paint(decode(kept['errors.png'], 'errors'), ERROR_COLOURS)
    asked = small_mask(request.mask(image_id), size)
    labels = np.where(asked, 0, IGNORE_INDEX).astype(np.uint8)
    yield 'request.png', paint(labels, REQUEST_COLOUR)
    if store.state(number) == 'answered' and image_id in store.answer(number).images:
        answer = store.answer(number).labels(image_id)
        labels = small_sparse(answer, size, len(data.classes))
        yield from _in_both_palettes('answer', labels, data)


def _kept(snapshot: SealedFolder | None, image_id: str) -> dict[str, bytes]:
    """Contents of one image's files in a snapshot, by the part of their name after the image."""
    if snapshot is None:
        return {}
    name = snapshot.manifest['images'][image_id]['name']
    files = (file for file in snapshot.manifest['files'] if file.startswith(f'{name}_'))
    return {file.removeprefix(f'{name}_'): snapshot.read(file) for file in files}


def _in_both_palettes(
    layer: str, labels: np.ndarray, data: PoolData
) -> Iterator[tuple[str, bytes]]:
    yield f'{layer}.png', paint(labels, data.palette)
    yield f'{layer}.safe.png', paint(labels, data.safe_palette)
