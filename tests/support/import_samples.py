"""Exports as every annotation tool writes them, of a tiny request, with shapes of every kind."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import SubElement

import numpy as np
from exchange_runs import IDS, LABELS, SIZE, make_run, segmentation_mask, truth
from PIL import Image

from mmseg_tsf.active_learning.exchange.formats.coco import annotate
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.request import RequestFolder
from mmseg_tsf.active_learning.exchange.shapes.rle import encode_coco
from mmseg_tsf.active_learning.exchange.tool_export import ToolExport

PLACE = dict(x=10, y=20, width=30, height=40, rotation=15)
KINDS = ('cvat', 'coco', 'label_studio', 'labelme', 'masks')


@dataclass
class Sample:
    """An export.

    Attributes:
        kind: Name of its format.
        files: Content of its files by name.
    """

    kind: str
    files: dict[str, bytes]


def make_request(folder: Path) -> Path:
    """Writes a run that waits for people; returns its request folder."""
    make_run(folder)
    return folder / 'annotation/round_000'


def sample_exports(request: RequestFolder, folder: Path) -> list[Sample]:
    """Exports of every format."""
    found = []
    for kind in KINDS:
        export_request(request, folder / kind, dict(type=kind))
        found.append(Sample(kind, globals()[f'_{kind}'](folder / kind)))
    everywhere = np.ones(SIZE, bool)
    path = segmentation_mask(folder / 'a.zip', {i: (truth(i), everywhere) for i in IDS})
    export = ToolExport(path)
    found.append(Sample('cvat', {name: export.read(name) for name in export.names}))
    return found


def _cvat(package: Path) -> dict[str, bytes]:
    root = ElementTree.parse(package / 'annotations.xml').getroot()
    for element in root.iter('image'):
        corners = dict(xtl='2', ytl='3', xbr='9', ybr='12', rotation='20')
        SubElement(element, 'box', label='car', z_order='3', **corners)
        SubElement(element, 'ellipse', label='car', cx='9', cy='9', rx='4', ry='2', rotation='9')
        SubElement(element, 'polygon', label='road', points='1,1;9.5,1;9,9', z_order='1')
    return {'annotations.xml': ElementTree.tostring(root)}


def _coco(package: Path) -> dict[str, bytes]:
    content = json.loads((package / 'annotations.json').read_text())
    whole = np.ones(SIZE, bool)
    for image in content['images']:
        counts = encode_coco(truth('c') > 1)
        for segmentation in ([[1, 1, 9.5, 1, 9, 9]], dict(size=SIZE, counts=counts), []):
            number = len(content['annotations']) + 1
            one = annotate(number, image['id'], 'road', whole, LABELS, segmentation)
            content['annotations'].append(one)
    return {'annotations.json': json.dumps(content).encode()}


def _label_studio(package: Path) -> dict[str, bytes]:
    tasks = json.loads((package / 'tasks.json').read_text())
    for number, task in enumerate(tasks):
        (prediction,) = task.pop('predictions')
        shapes = dict(
            rectangle=PLACE,
            ellipse=dict(PLACE, radiusX=9, radiusY=5),
            bitmask=dict(imageDataURL=f'data:image/png;base64,{_picture(*SIZE)}'),
        )
        for kind, value in shapes.items():
            value = {**value, f'{kind}labels': ['car']}
            prediction['result'].append(dict(type=f'{kind}labels', value=value))
        annotation = dict(prediction, id=number, updated_at='2026-01-01', was_cancelled=False)
        task.update(id=number, annotations=[annotation])
    return {'export.json': json.dumps(tasks).encode()}


def _labelme(package: Path) -> dict[str, bytes]:
    files = {}
    for path in (package / 'images').rglob('*.json'):
        content = json.loads(path.read_text())
        box = [[2, 3], [9, 12]]
        for kind in ('rectangle', 'circle', 'linestrip', 'mask'):
            shape = dict(label='car', shape_type=kind, points=box, mask=_picture(10, 8))
            content['shapes'].append(shape)
        files[path.relative_to(package / 'images').as_posix()] = json.dumps(content).encode()
    return files


def _masks(package: Path) -> dict[str, bytes]:
    files = {'labelmap.txt': (package / 'labelmap.txt').read_bytes()}
    colours = np.array(LABELS.colours, np.uint8)
    palette = np.zeros((256, 3), np.uint8)
    palette[20 : 20 + len(colours)] = colours  # as an editor may have renumbered it
    numbered = Image.fromarray(truth(IDS[2]) + np.uint8(20))
    numbered.putpalette(palette.ravel().tolist())
    pictures = Image.fromarray(truth(IDS[0])), Image.fromarray(colours[truth(IDS[1])]), numbered
    for image_id, picture in zip(IDS, pictures, strict=True):
        files[f'{image_id}.png'] = _png(picture)
    return files


def _picture(height: int, width: int) -> str:
    return base64.b64encode(_png(Image.fromarray(np.eye(height, width, dtype=bool)))).decode()


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format='PNG')
    return buffer.getvalue()
