"""Requests that wait for people, answers to them, and exports as the tools write them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.active_learning.exchange.gather import read_exports
from mmseg_tsf.active_learning.exchange.label_set import VOID, LabelSet
from mmseg_tsf.active_learning.exchange.request import RequestFolder
from mmseg_tsf.active_learning.exchange.request_folder import write_request_folder
from mmseg_tsf.active_learning.exchange.tool_export import ToolExport
from mmseg_tsf.active_learning.store.label_png import encode_labels
from mmseg_tsf.datasets.image_reading import ImageReader
from mmseg_tsf.utils.errors import UserError

SIZE = (32, 40)
CLASSES = ('background', 'road', 'car', 'pole')
IDS = ('city/a', 'city/b.left', 'c')
LABELS = LabelSet(CLASSES)
few = settings(max_examples=25, deadline=None, derandomize=True, database=None)
"""Property tests look at few and always the same examples."""

sizes = npst.array_shapes(min_dims=2, max_dims=2, max_side=9)
masks = npst.arrays(bool, sizes)


@st.composite
def answers(draw) -> tuple[np.ndarray, np.ndarray]:
    """``(H, W)`` class ids (255: cannot be said) and bool: where anything is said."""
    size = draw(sizes)
    ids = st.sampled_from([*range(len(CLASSES)), 255])
    labels = draw(npst.arrays(np.uint8, size, elements=ids, fill=st.nothing()))
    return labels, draw(npst.arrays(bool, size, fill=st.nothing()))


def asked_masks() -> dict[str, np.ndarray]:
    """A region with a hole, one cut by the border, two touching pixels; points; all there is."""
    found = {image_id: np.zeros(SIZE, bool) for image_id in IDS}
    found['city/a'][4:14, 6:20] = True
    found['city/a'][7:10, 10:14] = False
    found['city/a'][28:, 34:] = True
    found['city/a'][20, 3:5] = True
    found['city/b.left'][[2, 9, 30], [5, 38, 0]] = True
    found['c'][:] = True
    return found


def believed(image_id: str) -> np.ndarray:
    """``(H, W)`` uint8: what the network predicts; stripes that differ between images."""
    rows, columns = np.indices(SIZE)
    return ((rows // 4 + columns // 8 + IDS.index(image_id)) % len(CLASSES)).astype(np.uint8)


def truth(image_id: str) -> np.ndarray:
    """``(H, W)`` uint8 that people would answer."""
    rows, columns = np.indices(SIZE)
    return ((rows // 5 + columns // 3 + IDS.index(image_id)) % len(CLASSES)).astype(np.uint8)


def write_images(folder: Path) -> dict[str, str]:
    """PNGs by image id."""
    rng, files = np.random.default_rng(0), {}
    for image_id in IDS:
        path = folder / f'{image_id}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8)).save(path)
        files[image_id] = str(path)
    return files


def make_run(work_dir: Path, people: bool = True, asked: dict | None = None) -> RoundStore:
    """A run that waits for the answer of round 0, with the folder for people or without."""
    asked = asked or asked_masks()
    files = write_images(work_dir / 'pool')
    store = RoundStore(work_dir / 'rounds')
    annotation_dir = 'annotation' if people else None
    store.open(dict(classes=list(CLASSES), annotation_dir=annotation_dir), ())
    notes = dict(pixels=1, regions=1, clicks=1)
    request = store.write_request(0, ((i, asked[i], notes) for i in IDS), {})
    if people:
        folder = work_dir / 'annotation/round_000'

        def picture(image_id: str) -> np.ndarray:
            return ImageReader().picture(dict(img_path=files[image_id]))

        write_request_folder(folder, request, files, CLASSES, believed, picture)
    return store


class BareRequest(RequestFolder):
    """A request without a sealed folder.

    Args:
        masks: ``(H, W)`` bool mask by image id.
        files: Image file by image id.
    """

    classes, digest, number = CLASSES, 'd' * 64, 3
    sealed = SimpleNamespace(path='the folder')

    def __init__(self, masks: dict[str, np.ndarray], files: dict | None = None) -> None:
        self._masks, self._files = masks, files

    @property
    def info(self) -> dict:
        """See the base class."""
        images = {image_id: dict(size=mask.shape) for image_id, mask in self._masks.items()}
        return dict(images=images, files={})

    def mask(self, image_id: str) -> np.ndarray:
        """See the base class."""
        return self._masks[image_id]

    def image_file(self, image_id: str) -> Path:
        """See the base class."""
        return self._files[image_id]

    def prelabels(self, image_id: str) -> None:
        """See the base class."""


def bare_request(size: tuple[int, int], image_id: str = 'x') -> BareRequest:
    """A request for every pixel of one image."""
    return BareRequest({image_id: np.ones(size, bool)})


def layers(labels: np.ndarray, said: np.ndarray):
    """Names in the tool and masks of what is said."""
    for i, name in enumerate(LABELS.names):
        if (said & (labels == i)).any():
            yield name, said & (labels == i)
    if (said & (labels == 255)).any():
        yield VOID, said & (labels == 255)


def as_colours(labels: np.ndarray, said: np.ndarray) -> bytes:
    """The PNG of *Segmentation mask 1.1*: black where nothing is said."""
    picture = np.zeros((*labels.shape, 3), np.uint8)
    for name, mask in layers(labels, said):
        picture[mask] = LABELS.palette[name]
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format='PNG')
    return buffer.getvalue()


def labelmap() -> str:
    """``labelmap.txt`` as CVAT writes it for our labels."""
    lines = ['# label:color_rgb:parts:actions', 'background:0,0,0::']
    palette = {**LABELS.palette, 'asked': (255, 255, 0)}
    return '\n'.join([*lines, *(f'{n}:{r},{g},{b}::' for n, (r, g, b) in palette.items())])


def segmentation_mask(path: Path, found: dict[str, tuple[np.ndarray, np.ndarray]]) -> Path:
    """An export of CVAT as *Segmentation mask 1.1*."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('labelmap.txt', labelmap())
        archive.writestr('ImageSets/Segmentation/default.txt', '\n'.join(found))
        for image_id, (labels, said) in found.items():
            archive.writestr(f'SegmentationClass/{image_id}.png', as_colours(labels, said))
            archive.writestr(f'SegmentationObject/{image_id}.png', encode_labels(labels))
    return path


def write_json(path: Path, content) -> Path:
    """A file with JSON."""
    path.write_text(json.dumps(content))
    return path


def read_all(exchange_format, path: Path, request: RequestFolder) -> dict:
    """Labels by image id, ``None`` by name of what was not requested; raises the first error."""
    found = dict(read_exports([ToolExport(path)], exchange_format, request, LABELS))
    for outcome in found.values():
        if isinstance(outcome, UserError):
            raise outcome
    return found
