"""Whatever stands where a shape should: labels, counted faults, or one clear error."""

import base64
import io
import json

import numpy as np
import pytest
from exchange_runs import LABELS
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmseg_tsf.active_learning.exchange.formats.coco import parse_annotations
from mmseg_tsf.active_learning.exchange.formats.cvat import parse_image
from mmseg_tsf.active_learning.exchange.formats.label_studio import check_tasks, newest
from mmseg_tsf.active_learning.exchange.formats.label_studio import (
    parse_annotation as parse_result,
)
from mmseg_tsf.active_learning.exchange.formats.labelme import parse_shapes
from mmseg_tsf.active_learning.exchange.readers.documents import parse_json, parse_xml
from mmseg_tsf.utils.errors import UserError

SIZE = (8, 9)
many = settings(max_examples=80, deadline=None, derandomize=True, database=None)


def picture() -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.eye(*SIZE, dtype=bool)).save(buffer, format='PNG')
    return base64.b64encode(buffer.getvalue()).decode()


atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.floats(-5, 20)
    | st.integers(-2, 80)
    | st.text(max_size=3)
    | st.sampled_from(['car', 'asked', 'cannot be said', '72', '<72', picture()])
)
values = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from('abc'), inner, max_size=2)
    ),
    max_leaves=10,
)
corners = st.lists(st.lists(st.floats(-5, 15) | values, min_size=2, max_size=2), max_size=5)
runs = st.lists(st.integers(-1, 80) | values, max_size=6)


def either(**fields) -> st.SearchStrategy:
    """A dictionary of which any field may be missing or anything."""
    return st.fixed_dictionaries({}, optional={k: v | values for k, v in fields.items()})


annotations = either(
    category_id=st.just(1),
    segmentation=st.lists(st.lists(st.floats(-5, 15) | atoms, max_size=8), max_size=3)
    | either(size=st.just(list(SIZE)), counts=runs | st.text(max_size=6)),
)
geometry = either(
    points=corners,
    closed=st.booleans(),
    rle=st.lists(st.integers(0, 255), max_size=12),
    imageDataURL=st.just(picture()),
    x=st.floats(0, 100),
    y=st.floats(0, 100),
    width=st.floats(0, 100),
    height=st.floats(0, 100),
    radiusX=st.floats(0, 100),
    radiusY=st.floats(0, 100),
    rotation=st.floats(0, 360),
    labels=st.just(['car']),
)
results = either(
    type=st.just('labels'),
    value=geometry,
    original_width=st.just(SIZE[1]),
    original_height=st.just(SIZE[0]),
    image_rotation=st.just(0),
    is_positive=st.booleans(),
)
shapes = either(
    label=st.just('car'),
    shape_type=st.sampled_from(['polygon', 'rectangle', 'circle', 'mask', 'point', 'line']),
    points=corners,
    mask=st.just(picture()),
)
texts = (
    st.text(st.characters(min_codepoint=32, exclude_categories=['Cs']), max_size=8)
    | st.floats(-5, 20).map(str)
    | st.floats(allow_nan=True).map(str)
    | st.lists(st.integers(0, 40), max_size=6).map(lambda runs: ', '.join(map(str, runs)))
    | corners.map(lambda pairs: ';'.join(f'{x},{y}' for x, y in pairs))
)
TAGS = ('box', 'ellipse', 'mask', 'polygon', 'points', 'polyline', 'skeleton', 'x')
KEYS = ('xtl', 'ytl', 'xbr', 'ybr', 'cx', 'cy', 'rx', 'ry', 'rotation', 'left', 'top', 'width',
        'height', 'rle', 'points', 'z_order')  # fmt: skip


def as_json(value) -> object:
    """The value as it stands in a file."""
    return parse_json(json.dumps(value).encode(), 'x')


def check(parse) -> None:
    try:
        found = parse()
    except UserError as error:
        assert str(error).startswith('x') and len(str(error)) < 500
    else:
        assert found.labels.shape == found.labelled.shape == SIZE
        assert set(np.unique(found.labels[found.labelled])) <= {0, 1, 2, 3, 255}
        assert (found.labels[~found.labelled] == 255).all()
        assert all(text.isprintable() and len(text) < 300 for text in found.broken)


@many
@given(st.lists(annotations, max_size=3))
def test_coco(content):
    names = {1: 'car'}
    check(lambda: parse_annotations(as_json(content), names, LABELS, SIZE, 'x'))


@many
@given(either(result=st.lists(results, max_size=3), updated_at=st.text(), id=st.integers()))
def test_label_studio(content):
    annotation = as_json(content)
    tasks = check_tasks([dict(data={}, annotations=[annotation, {}])], 'x')
    assert newest(tasks[0]['annotations']) in (annotation, {})
    check(lambda: parse_result(annotation, LABELS, SIZE, 'x'))


@many
@given(
    either(
        shapes=st.lists(shapes, max_size=3),
        imageHeight=st.just(SIZE[0]),
        imageWidth=st.just(SIZE[1]),
    )
    | values
)
def test_labelme(content):
    check(lambda: parse_shapes(as_json(content), LABELS, SIZE, 'x'))


@many
@given(st.sampled_from(TAGS), st.dictionaries(st.sampled_from(KEYS), texts), st.booleans())
def test_cvat(tag, attributes, placed):
    root = parse_xml(f'<image width="{SIZE[1]}" height="{SIZE[0]}"/>'.encode(), 'x')
    shape = root.makeelement(tag, {'label': 'car', **attributes})
    if placed:
        shape.attrib.update(left='0', top='0', width='9', height='8')
    root.append(shape)
    check(lambda: parse_image(root, LABELS, SIZE, 'x'))


@pytest.mark.parametrize('content', [None, 3, [], 'x', {}, {'data': 3}, [{}], [[]]])
def test_tasks(content):
    if content != []:
        with pytest.raises(UserError, match='x is not a list of tasks'):
            check_tasks(content, 'x')
