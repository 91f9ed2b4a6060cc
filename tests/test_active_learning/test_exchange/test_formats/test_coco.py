"""COCO: run lengths and polygons, with parts and holes, there and back."""

import json
from functools import partial

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
    read_all,
    write_json,
)
from hypothesis import given
from pycocotools.coco import COCO
from scipy import ndimage

from mmseg_tsf.active_learning.exchange.answers import ImageLabels
from mmseg_tsf.active_learning.exchange.formats.coco import (
    COCOFormat,
    annotate,
    categories,
    paint_segmentation,
    parse_annotations,
    polygons,
)
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.shapes.rle import encode_coco
from mmseg_tsf.utils.errors import UserError

NAMES = {category['id']: category['name'] for category in categories(LABELS)}

read = partial(read_all, COCOFormat())


def parse(annotations, size=SIZE):
    return parse_annotations(json.loads(json.dumps(annotations)), NAMES, LABELS, size, 'x')


def mask_of(segmentation, size=SIZE) -> np.ndarray:
    found = ImageLabels(size)
    paint_segmentation(found, segmentation, 1, 'x')
    return found.labelled


def id_of(entry, request) -> str:
    return entry['file_name'].removeprefix(f'{request.tag}/').removesuffix('.png')


@pytest.fixture(scope='module')
def package(waiting, tmp_path_factory):
    folder = tmp_path_factory.mktemp('coco') / 'package'
    export_request(waiting, folder, dict(type='coco'))
    return folder


def test_a_package_is_a_coco_file_that_can_be_imported_again(package, waiting):
    content = json.loads((package / 'annotations.json').read_text())
    assert [image['file_name'] for image in content['images']] == [
        f'{waiting.tag}/{i}.png' for i in sorted(IDS)
    ]
    size = dict(width=40, height=32)
    assert content['images'][1] == dict(id=2, file_name=f'{waiting.tag}/city/a.png', **size)
    names = ['background (class)', *CLASSES[1:], 'cannot be said', 'asked']
    assert [category['name'] for category in content['categories']] == names
    assert (package / 'images' / waiting.tag / 'city/a.png').is_file()
    found = read(package / 'annotations.json', waiting)
    for image_id, asked in asked_masks().items():
        assert np.array_equal(found[image_id].labelled, asked)
        assert np.array_equal(found[image_id].labels, np.where(asked, believed(image_id), 255))


def test_the_request_is_polygons_that_say_nothing(package, waiting):
    content = json.loads((package / 'annotations.json').read_text())
    for entry in content['images']:
        own = [a for a in content['annotations'] if a['image_id'] == entry['id']]
        outlines = [a['segmentation'] for a in own if NAMES[a['category_id']] == 'asked']
        shown = np.logical_or.reduce([mask_of(s) for s in outlines])
        assert np.array_equal(shown, asked_masks()[id_of(entry, waiting)])


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
    assert np.array_equal(mask_of(json.loads(json.dumps(parts)), mask.shape), mask)


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
        (dict(size=[9, 9], counts=[81]), 2, 'x: a mask is 9x9 pixels, its image 40x32'),
        ([[1, 2, 3, 4, 5, 6]], 99, "x has the label 'category 99', which is not"),
    ],
)
def test_annotations_of_other_images_and_labels_are_refused(segmentation, category, message):
    one = dict(id=1, image_id=1, category_id=category, segmentation=segmentation)
    with pytest.raises(UserError, match=message):
        parse([one])


@pytest.mark.parametrize(
    ('segmentation', 'fault'),
    [
        (dict(size=SIZE, counts='!'), "'!' cannot be part of a COCO mask"),
        (dict(size=SIZE, counts=[5]), 'the runs of the mask cover 5 pixels, not 1280'),
        (dict(size=SIZE, counts=[2**62, 2**62, 2**62, 2**62]), 'a run of the mask covers 46116860'),
        (dict(size=SIZE, counts=[1280.5]), 'the runs of the mask are not whole numbers'),
        (dict(size=SIZE, counts=None), 'the runs of the mask are not whole numbers'),
        (dict(size=SIZE, counts=[0] * 3000 + [1280]), 'the mask has 3001 runs, more than'),
        (dict(size=[None, 40], counts=[1280]), 'None is not a number'),
        (dict(size=SIZE), 'its segmentation is neither polygons nor run lengths'),
        ('1 2 3 4', 'its segmentation is neither polygons nor run lengths'),
        ([[1, 2, 3]], 'the coordinates are not pairs'),
        ([[1, 2, 3, None, 5, 6]], 'a coordinate is not a number'),
        ([[1, 2, 3, float('nan'), 5, 6]], 'a coordinate is not a number'),
        ([[1, 2, 3, 1e300, 5, 6]], 'a coordinate lies far from the image'),
        ([[1, 2, 3, 65.0, 5, 6]], 'a coordinate lies far from the image'),
        ([[1, 2, 3, {}, 5, 6]], 'a coordinate is not a number'),
    ],
)
def test_a_broken_annotation_is_skipped_and_counted(segmentation, fault):
    part = np.zeros(SIZE, bool)
    part[2:5, 2:5] = True
    broken = dict(id=1, image_id=1, category_id=2, segmentation=segmentation)
    found = parse([broken, annotate(2, 1, 'car', part, LABELS)])
    assert np.array_equal(found.labels == 2, part) and np.array_equal(found.labelled, part)
    ((text, count),) = found.broken.items()
    assert text.startswith(f'annotation ({fault}') and count == 1


def test_what_covers_nothing_says_nothing():
    for segmentation in ([[]], [[3, 4]], [[1, 1, 5, 5]], dict(size=SIZE, counts=[1280])):
        one = dict(id=1, image_id=1, category_id=2, segmentation=segmentation)
        found = parse([one])
        assert not found.labelled.any() and not found.broken and not found.unread


def test_other_files_and_sizes_are_refused(tmp_path):
    request = bare_request(SIZE, 'c')
    path = write_json(tmp_path / 'a.json', [])
    with pytest.raises(UserError, match='is not a COCO file with images, categories, annotations'):
        read(path, request)
    entry = dict(id=1, file_name='c.jpg', width=32, height=40)
    content = dict(images=[entry], categories=[], annotations=[])
    path = write_json(tmp_path / 'a.json', content)
    with pytest.raises(UserError, match=r'c\.jpg is 32x40 pixels, its image 40x32'):
        read(path, request)
    content['images'] = [dict(entry, file_name='d.jpg')]
    path = write_json(tmp_path / 'a.json', content)
    assert read(path, request) == {'d.jpg': None}
    content['images'] = [dict(id=1, file_name='c.jpg')]
    path = write_json(tmp_path / 'a.json', content)
    with pytest.raises(UserError, match="a.json has an entry without 'height'"):
        read(path, request)
    path.write_text('{')
    with pytest.raises(UserError, match='a.json is not JSON: export it again'):
        read(path, request)


def joined(**changes) -> dict:
    """Two files that were joined by hand, with changes."""
    size = dict(height=SIZE[0], width=SIZE[1])
    whole = np.ones(SIZE, bool)
    shapes = [annotate(i, i, name, whole, LABELS) for i, name in ((1, 'car'), (2, 'road'))]
    content = dict(
        images=[dict(id=1, file_name='c.png', **size), dict(id=2, file_name='city/a.png', **size)],
        categories=categories(LABELS),
        annotations=shapes,
    )
    return {**content, **changes}


def test_ids_that_are_not_unique_are_refused(tmp_path, waiting):
    content = joined()
    found = read(write_json(tmp_path / 'a.json', content), waiting)
    assert (found['c'].labels == 2).all() and (found['city/a'].labels == 1).all()
    twice = [dict(image, id=1) for image in content['images']]
    cases = [
        (dict(images=twice), 'gives the image id 1 to c.png and city/a.png'),
        (dict(images=content['images'][:1]), 'annotations of the image id 2, but lists no such'),
        (
            dict(categories=[*content['categories'], dict(id=2, name='car')]),
            "gives the category id 2 to 'road' and 'car'",
        ),
        (dict(images=[dict(content['images'][0], id=None)]), 'entry without a usable id .None'),
    ]
    for changes, message in cases:
        with pytest.raises(UserError, match=message):
            read(write_json(tmp_path / 'a.json', joined(**changes)), waiting)
    same = [*content['categories'], dict(id=2.0, name='road')]  # a float, as from a table
    path = write_json(tmp_path / 'a.json', joined(categories=same))
    assert (read(path, waiting)['city/a'].labels == 1).all()


def test_pycocotools_reads_the_package(package, waiting):
    file = COCO(str(package / 'annotations.json'))
    for image_id, entry in file.imgs.items():
        asked = asked_masks()[id_of(entry, waiting)]
        found = np.full(SIZE, 255)
        for one in file.loadAnns(file.getAnnIds(imgIds=[image_id])):
            mask = file.annToMask(one) > 0
            assert mask.sum() == one['area']
            if NAMES[one['category_id']] == 'asked':
                assert asked[mask].all()
            else:
                found[mask] = one['category_id'] - 1
        image_id = id_of(entry, waiting)
        assert np.array_equal(found, np.where(asked, believed(image_id), 255))
