"""COCO: run lengths and polygons, with parts and holes, there and back."""

import json

import numpy as np
import pytest
from exchange_runs import (
    CLASSES,
    IDS,
    LABELS,
    SIZE,
    answers,
    asked_masks,
    bare_request,
    believed,
    few,
    layers,
    masks,
    write_json,
)
from hypothesis import given
from pycocotools.coco import COCO
from scipy import ndimage

from mmseg_tsf.active_learning.exchange.formats.coco import (
    COCOFormat,
    annotate,
    categories,
    parse_annotations,
    parse_segmentation,
    polygons,
)
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.shapes.rle import encode_coco
from mmseg_tsf.active_learning.exchange.tool_export import ToolExport
from mmseg_tsf.utils.errors import UserError

NAMES = {category['id']: category['name'] for category in categories(LABELS)}

read = COCOFormat().read


def parse(annotations, size=SIZE):
    return parse_annotations(json.loads(json.dumps(annotations)), NAMES, LABELS, size, 'x')


@pytest.fixture(scope='module')
def package(waiting, tmp_path_factory):
    folder = tmp_path_factory.mktemp('coco') / 'package'
    export_request(waiting, folder, dict(type='coco'))
    return folder


def test_a_package_is_a_coco_file_that_can_be_imported_again(package, waiting):
    content = json.loads((package / 'annotations.json').read_text())
    assert [image['file_name'] for image in content['images']] == [f'{i}.png' for i in sorted(IDS)]
    assert content['images'][1] == dict(id=2, file_name='city/a.png', width=40, height=32)
    names = ['background (class)', *CLASSES[1:], 'cannot be said', 'asked']
    assert [category['name'] for category in content['categories']] == names
    assert (package / 'images/city/a.png').is_file()
    found = dict(read(ToolExport(package / 'annotations.json'), waiting, LABELS))
    for image_id, asked in asked_masks().items():
        assert np.array_equal(found[image_id].labelled, asked)
        assert np.array_equal(found[image_id].labels, np.where(asked, believed(image_id), 255))


def test_the_request_is_polygons_that_say_nothing(package):
    content = json.loads((package / 'annotations.json').read_text())
    for entry in content['images']:
        own = [a for a in content['annotations'] if a['image_id'] == entry['id']]
        outlines = [a['segmentation'] for a in own if NAMES[a['category_id']] == 'asked']
        shown = np.logical_or.reduce([parse_segmentation(s, SIZE) for s in outlines])
        assert np.array_equal(shown, asked_masks()[entry['file_name'].removesuffix('.png')])


@few
@given(answers())
def test_run_lengths_come_back_as_they_were_said(answer):
    labels, said = answer
    found = list(layers(labels, said))
    compressed = [annotate(i, 1, name, mask, LABELS) for i, (name, mask) in enumerate(found)]
    plain = [
        annotate(i, 1, name, mask, LABELS, dict(size=mask.shape, counts=encode_coco(mask)))
        for i, (name, mask) in enumerate(found)
    ]
    for annotations in (compressed, plain):
        result = parse(annotations, labels.shape)
        assert np.array_equal(result.labelled, said)
        assert np.array_equal(result.labels, np.where(said, labels, 255))


@few
@given(masks)
def test_polygons_keep_parts_and_holes(mask):
    labels, num = ndimage.label(mask)
    parts = [part for i in range(1, num + 1) for part in polygons(labels == i)]
    found = parse_segmentation(json.loads(json.dumps(parts)), mask.shape)
    assert np.array_equal(np.zeros_like(mask) if found is None else found, mask)


def test_area_and_box_are_those_of_the_mask():
    mask = asked_masks()['city/a']
    one = annotate(1, 1, 'car', mask, LABELS)
    assert (one['area'], one['bbox']) == (int(mask.sum()), [3, 4, 37, 28])
    assert (one['category_id'], one['iscrowd']) == (3, 0)


def test_later_annotations_lie_on_top_and_boxes_are_named():
    part = np.zeros(SIZE, bool)
    part[2:5, 2:5] = True
    shapes = [('road', np.ones(SIZE, bool)), ('cannot be said', part)]
    annotations = [annotate(i, 1, name, mask, LABELS) for i, (name, mask) in enumerate(shapes)]
    annotations.append(dict(id=9, image_id=1, category_id=2, bbox=[0, 0, 5, 5], segmentation=[]))
    found = parse(annotations)
    assert found.labelled.all() and np.array_equal(found.labels == 255, part)
    assert found.unread == dict(box=1)


@pytest.mark.parametrize(
    ('segmentation', 'category', 'message'),
    [
        (dict(size=[9, 9], counts=[81]), 2, r'x has .*its size \[9, 9\] is not that of the image'),
        (dict(size=SIZE, counts='!'), 2, r"x has .*'!' cannot be part"),
        (dict(size=SIZE, counts=[5]), 2, 'x has .*the runs of the mask cover 5 pixels, not 1280'),
        (dict(size=SIZE), 2, "x has a segmentation that cannot be read .'counts'"),
        ([[1, 2, 3]], 2, 'x has a segmentation that cannot be read'),
        ([[1, 2, 3, 4, 5, 6]], 99, "x has the label 'category 99', which is not"),
    ],
)
def test_wrong_annotations_are_refused(segmentation, category, message):
    one = dict(id=1, image_id=1, category_id=category, segmentation=segmentation)
    with pytest.raises(UserError, match=message):
        parse([one])


def test_other_files_and_sizes_are_refused(tmp_path):
    request = bare_request(SIZE, 'c')
    path = write_json(tmp_path / 'a.json', [])
    with pytest.raises(UserError, match='is not a COCO file with images, categories, annotations'):
        list(read(ToolExport(path), request, LABELS))
    entry = dict(id=1, file_name='c.jpg', width=32, height=40)
    content = dict(images=[entry], categories=[], annotations=[])
    path = write_json(tmp_path / 'a.json', content)
    with pytest.raises(UserError, match=r'c\.jpg is 32x40 pixels, its image 40x32'):
        list(read(ToolExport(path), request, LABELS))
    content['images'] = [dict(entry, file_name='d.jpg')]
    path = write_json(tmp_path / 'a.json', content)
    assert [i for i, _ in read(ToolExport(path), request, LABELS)] == [None]
    content['images'] = [dict(id=1, file_name='c.jpg')]
    path = write_json(tmp_path / 'a.json', content)
    with pytest.raises(UserError, match="a.json has an entry without 'height'"):
        list(read(ToolExport(path), request, LABELS))
    path.write_text('{')
    with pytest.raises(UserError, match='a.json is not JSON: export it again'):
        list(read(ToolExport(path), request, LABELS))


def test_pycocotools_reads_the_package(package):
    file = COCO(str(package / 'annotations.json'))
    for image_id, entry in file.imgs.items():
        asked = asked_masks()[entry['file_name'].removesuffix('.png')]
        found = np.full(SIZE, 255)
        for one in file.loadAnns(file.getAnnIds(imgIds=[image_id])):
            mask = file.annToMask(one) > 0
            assert mask.sum() == one['area']
            if NAMES[one['category_id']] == 'asked':
                assert asked[mask].all()
            else:
                found[mask] = one['category_id'] - 1
        name = entry['file_name'].removesuffix('.png')
        assert np.array_equal(found, np.where(asked, believed(name), 255))
