"""LabelMe: one file beside each image, and all shapes that its users can draw."""

import base64
import io
import json
import shutil
from functools import partial

import numpy as np
import pytest
from exchange_runs import (
    LABELS,
    SIZE,
    answers,
    asked_masks,
    bare_request,
    believed,
    few,
    layers,
    read_all,
    write_json,
)
from hypothesis import given
from PIL import Image

from mmseg_tsf.active_learning.exchange.formats.labelme import LabelMeFormat, parse_shapes
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.utils.errors import UserError

read = partial(read_all, LabelMeFormat())


def content(*shapes, size=SIZE) -> dict:
    return dict(imageHeight=size[0], imageWidth=size[1], shapes=list(shapes))


def shape(kind, *corners, label='car', **more) -> dict:
    return dict(label=label, shape_type=kind, points=[list(corner) for corner in corners], **more)


def mask_shape(label, mask) -> dict:
    """As LabelMe writes it: 0 and 1 inside of the box, whose corners are pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    (top, bottom), (left, right) = rows[[0, -1]].tolist(), columns[[0, -1]].tolist()
    buffer = io.BytesIO()
    part = mask[top : bottom + 1, left : right + 1].astype(np.uint8)
    Image.fromarray(part).save(buffer, format='PNG')
    text = base64.b64encode(buffer.getvalue()).decode()
    return shape('mask', (left, top), (right, bottom), label=label, mask=text)


def parse(*shapes, size=SIZE):
    return parse_shapes(json.loads(json.dumps(content(*shapes, size=size))), LABELS, size, 'x')


def test_a_package_goes_to_the_tool_and_comes_back(waiting, tmp_path):
    export_request(waiting, tmp_path / 'package', dict(type='labelme'))
    images = tmp_path / 'package/images' / waiting.tag
    for image_id, asked in asked_masks().items():
        assert (images / f'{image_id}.png').is_file()
        drawn = json.loads((images / f'{image_id}.json').read_text())
        assert (drawn['imageHeight'], drawn['imageWidth']) == SIZE
        assert drawn['imagePath'] == f'{image_id.rpartition("/")[2]}.png'
        named = [dict(one, label='car') for one in drawn['shapes'] if one['label'] == 'asked']
        shown = parse_shapes(dict(drawn, shapes=named), LABELS, SIZE, 'x').labelled
        assert np.array_equal(shown, asked) or image_id == 'city/b.left'  # points with labels
    names = (tmp_path / 'package/labels.txt').read_text().split('\n')
    assert names == [*LABELS.palette, 'asked', '']
    shutil.rmtree(tmp_path / 'package/previews')
    for path in (tmp_path / 'package', images):
        found = read(path, waiting)
        for image_id, asked in asked_masks().items():
            assert np.array_equal(found[image_id].labelled, asked)
            expected = np.where(asked, believed(image_id), 255)
            assert np.array_equal(found[image_id].labels, expected)


@few
@given(answers())
def test_masks_come_back_as_they_were_said(answer):
    labels, said = answer
    shapes = [mask_shape(name, mask) for name, mask in layers(labels, said)]
    found = parse(*shapes, size=labels.shape)
    assert np.array_equal(found.labelled, said)
    assert np.array_equal(found.labels, np.where(said, labels, 255))


def test_every_shape_covers_what_it_shows_and_later_ones_lie_on_top():
    found = parse(
        shape('rectangle', (20, 12), (4, 3), label='road'),  # from any corner to the opposite one
        shape('circle', (30, 20), (33, 24)),
        shape('polygon', (5, 4), (9, 4), (9, 8), (5, 8), label='cannot be said'),
        shape('point', (0.5, 31.9), label='pole'),
        shape('line', (0, 0), (39, 31)),
        shape('linestrip', (0, 0), (39, 31), (5, 5)),
        shape('polygon', (0, 0), (39, 0), (39, 31), label='asked'),
        shape('tube', (1, 1)),
    )
    y, x = np.indices(SIZE) + 0.5
    box = (x > 4) & (x < 20) & (y > 3) & (y < 12)
    void = (x > 5) & (x < 9) & (y > 4) & (y < 8)
    circle = (x - 30) ** 2 + (y - 20) ** 2 <= 25
    assert np.array_equal(found.labels == 1, box & ~void)
    assert np.array_equal(found.labels == 2, circle)
    assert np.argwhere(found.labels == 3).tolist() == [[31, 0]]
    assert np.array_equal(found.labelled, box | circle | (found.labels == 3))
    assert found.unread == dict(tube=1) and not found.broken


@pytest.mark.parametrize(
    ('one', 'fault'),
    [
        (shape('rectangle', (1, 1)), 'rectangle (it has 1 points, not 2)'),
        (shape('circle', (1, 1), (900, 1)), 'circle (a coordinate lies far from the image)'),
        (shape('circle', (1, 1), (70, 1)), 'circle (a coordinate lies far from the image)'),
        (shape('polygon', (1, 1), (None, 1)), 'polygon (a coordinate is not a number)'),
        (shape('mask', (1, 1), (50, 3), mask=''), 'mask (its box leaves the image)'),
        (shape('mask', (1, 1), (3, 3), mask='AAAA'), 'mask (its picture is not a complete PNG: '),
        (shape('mask', (1, 1), (3, 3)), 'mask (its picture is not in base 64)'),
        (dict(shape('polygon'), label=None), 'polygon (it has no type or no label)'),
        (dict(label='car'), 'shape (it has no type or no label)'),
        (None, 'shape (it has no type or no label)'),
    ],
)
def test_a_broken_shape_is_skipped_and_counted(one, fault):
    found = parse(one, shape('rectangle', (1, 1), (3, 3)))
    assert np.argwhere(found.labelled).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    ((text, count),) = found.broken.items()
    assert text.startswith(fault) and count == 1


@pytest.mark.parametrize(
    ('written', 'message'),
    [
        ([], 'x.json has no list of shapes: give the files that LabelMe wrote'),
        (dict(shapes=3), 'x.json has no list of shapes'),
        (dict(shapes=[]), 'x.json has no size of its image .None is not a number'),
        (content(size=(9, 8)), 'x.json is 8x9 pixels, its image 40x32'),
        (content(shape('polygon', label='bus')), "x.json has the label 'bus', which is not a"),
    ],
)
def test_other_files_are_refused(tmp_path, written, message):
    write_json(tmp_path / 'x.json', written)
    with pytest.raises(UserError, match=message):
        read(tmp_path, bare_request(SIZE))


def test_a_folder_without_its_files_is_refused(tmp_path, waiting):
    (tmp_path / 'a.png').write_bytes(b'')
    with pytest.raises(UserError, match='holds no JSON file: give the folder that LabelMe wrote'):
        read(tmp_path, waiting)
