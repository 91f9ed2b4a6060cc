"""Label Studio: tasks with outlines, brushes and key points, and its JSON export."""

import base64
import io
import json
import re
from functools import partial
from xml.etree import ElementTree

import numpy as np
import pytest
from exchange_runs import (
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
    truth,
    write_json,
)
from hypothesis import given
from PIL import Image

from mmseg_tsf.active_learning.exchange.annotation_plan import make_plan
from mmseg_tsf.active_learning.exchange.formats.label_studio import (
    LabelStudioFormat,
    brush,
    build_task,
    key_point,
    labelling_config,
    newest,
    parse_annotation,
)
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.request import AskedImage
from mmseg_tsf.active_learning.exchange.shapes.outlines import fill, outlines
from mmseg_tsf.utils.errors import UserError

read = partial(read_all, LabelStudioFormat())


def task_of(asked, prelabels=None, image_id='x'):
    image = AskedImage(image_id, None, asked, prelabels)
    return build_task(image, make_plan(asked), LABELS, f'http://host/{image_id}.png')


def results(task) -> list[dict]:
    return task['predictions'][0]['result']


def polygon(label, points, size=SIZE):
    frame = dict(original_height=size[0], original_width=size[1])
    return dict(type='polygonlabels', value=dict(points=points, polygonlabels=[label]), **frame)


def submitted(task, result, **more) -> dict:
    """A task of the JSON export."""
    annotation = dict(id=7, was_cancelled=False, updated_at='2026-01-01T00:00:00Z', result=result)
    return dict(id=1, data=task['data'], annotations=[{**annotation, **more}])


def test_a_task_shows_the_request_and_what_is_believed():
    asked = asked_masks()['city/a']
    task = task_of(asked, np.where(asked, believed('city/a'), 255), 'city/a')
    what = '3 regions, 0 points, about 21 clicks'
    assert task['data'] == dict(image='http://host/city/a.png', image_id='city/a', what=what)
    (prediction,) = task['predictions']
    assert prediction['model_version'] == 'mmseg_tsf'
    rings = [r for r in results(task) if r['from_name'] == 'request']
    assert all(r['readonly'] and r['value']['polygonlabels'] == ['asked'] for r in rings)
    points = [np.array(r['value']['points']) * (0.4, 0.32) for r in rings]  # percent
    assert np.array_equal(fill(points, SIZE), asked)
    found = parse_annotation(prediction, LABELS, SIZE, 'x')
    assert np.array_equal(found.labelled, asked)
    assert np.array_equal(found.labels, np.where(asked, believed('city/a'), 255))
    assert len({r['id'] for r in results(task)}) == len(results(task))


def test_single_pixels_are_key_points_in_percent():
    asked = asked_masks()['city/b.left']
    first, *_ = results(task_of(asked))
    expected = dict(x=100 * 5.5 / 40, y=100 * 2.5 / 32, width=0.6, keypointlabels=['asked'])
    assert first['type'] == 'keypointlabels' and first['value'] == expected
    task = task_of(asked, believed('city/b.left'))
    found = parse_annotation(task['predictions'][0], LABELS, SIZE, 'x')
    assert np.array_equal(found.labelled, asked)
    assert np.array_equal(found.labels[asked], believed('city/b.left')[asked])
    blank = parse_annotation(task_of(asked)['predictions'][0], LABELS, SIZE, 'x')
    assert not blank.labelled.any()


@few
@given(masks)
def test_every_pixel_is_found_from_its_percents(mask):
    size = tuple(side * 37 for side in mask.shape)  # no round numbers
    places = np.argwhere(mask) * 37 + 11
    result = [key_point('car', column, row, size) for row, column in places.tolist()]
    result = json.loads(json.dumps(result))
    found = parse_annotation(dict(result=result), LABELS, size, 'x')
    assert np.argwhere(found.labelled).tolist() == places.tolist()


@few
@given(masks)
def test_polygons_in_percent_are_filled_to_the_same_mask(mask):
    size = mask.shape[0] * 7, mask.shape[1] * 3
    for ring in outlines(np.kron(mask, np.ones((7, 3), bool)))[:1]:
        result = polygon('car', (ring * 100 / size[::-1]).tolist(), size)
        found = parse_annotation(dict(result=[result]), LABELS, size, 'x')
        assert np.array_equal(found.labelled, fill([ring], size))


@few
@given(answers())
def test_brushes_come_back_as_they_were_said(answer):
    labels, said = answer
    result = json.loads(json.dumps([brush(name, mask) for name, mask in layers(labels, said)]))
    found = parse_annotation(dict(result=result), LABELS, labels.shape, 'x')
    assert np.array_equal(found.labelled, said)
    assert np.array_equal(found.labels, np.where(said, labels, 255))


def test_a_package_is_imported_again(waiting, tmp_path):
    out = tmp_path / 'round 0'
    export_request(waiting, out, dict(type='label_studio'))
    tasks = json.loads((out / 'tasks.json').read_text())
    assert [task['data']['image_id'] for task in tasks] == sorted(IDS)
    address = '/data/local-files/?d=round%200/images/city/a.png'
    assert tasks[1]['data']['image'] == address
    assert (out / 'images/city/a.png').is_file()
    tasks = [submitted(task, results(task)) for task in tasks]
    assert {task['data']['request'] for task in tasks} == {waiting.tag}
    found = read(write_json(tmp_path / 'export.json', tasks), waiting)
    for image_id, asked in asked_masks().items():
        assert np.array_equal(found[image_id].labelled, asked)
        assert np.array_equal(found[image_id].labels[asked], believed(image_id)[asked])


def test_what_was_submitted_last_counts_and_what_was_skipped_does_not(tmp_path):
    square = [brush('car', np.ones(SIZE, bool))]
    task = task_of(np.ones(SIZE, bool), image_id='c')
    skipped = submitted(task, square, was_cancelled=True)
    path = write_json(tmp_path / 'a.json', [skipped, submitted(task, square)])
    assert read(path, bare_request(SIZE, 'c'))['c'].labelled.all()
    times = ('2026-01-02', '2026-01-10', '2026-01-09')
    many = [dict(id=i, updated_at=time, result=[]) for i, time in enumerate(times)]
    assert newest(many)['id'] == 1
    assert newest([dict(id=1, was_cancelled=True)]) is None
    foreign = dict(id=1, data=dict(image='a.png'), annotations=[])
    assert read(write_json(tmp_path / 'b.json', [foreign]), bare_request(SIZE)) == {'a.png': None}


def test_later_results_lie_on_top_and_what_is_not_understood_is_named():
    whole, part = np.ones(SIZE, bool), np.zeros(SIZE, bool)
    part[3:6, 4:9] = True
    result = [brush('road', whole), brush('cannot be said', part), brush('asked', whole)]
    result += [dict(type='relation'), dict(type='brushlabels', value=dict(rle=[]))]
    click = dict(key_point('car', 2, 2, SIZE), is_positive=True)
    result += [click, dict(click, is_positive=False)]  # they have steered SAM to a brush
    unclosed = polygon('car', [[0, 0], [50, 0], [50, 50]])
    unclosed['value']['closed'] = False  # is shown as a line
    result.append(unclosed)
    found = parse_annotation(dict(result=result), LABELS, SIZE, 'x')
    assert found.labelled.all() and np.array_equal(found.labels == 255, part)
    expected = {'keypointlabels that steers a model': 2, 'unclosed polygonlabels': 1}
    assert found.unread == dict(relation=1, brushlabels=1, **expected) and not found.broken


def bitmask(label, mask) -> dict:
    """Black on transparent, as Label Studio stores it."""
    picture = np.zeros((*mask.shape, 4), np.uint8)
    picture[mask, 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format='PNG')
    text = base64.b64encode(buffer.getvalue()).decode()
    value = dict(imageDataURL=f'data:image/png;base64,{text}', bitmasklabels=[label])
    return dict(type='bitmasklabels', value=value)


def shape(kind, **value) -> dict:
    """Percentages of the image, with the label car."""
    return dict(type=f'{kind}labels', value={**value, f'{kind}labels': ['car']})


def test_boxes_ellipses_and_bitmasks_cover_the_centres_inside():
    """Against the definition: a centre is turned back around the corner or the middle."""
    y, x = np.indices(SIZE) + 0.5
    for degrees in (0, 20, 250.5):
        turn = np.exp(-1j * np.radians(degrees))
        box = shape('rectangle', x=50, y=50, width=25, height=12.5, rotation=degrees)
        back = ((x - 20) + 1j * (y - 16)) * turn  # around the left upper corner
        expected = (back.real > 0) & (back.real < 10) & (back.imag > 0) & (back.imag < 4)
        found = parse_annotation(dict(result=[box]), LABELS, SIZE, 'x')
        assert np.array_equal(found.labels == 2, expected) and expected.sum() > 35
        oval = shape('ellipse', x=50, y=50, radiusX=25, radiusY=12.5, rotation=degrees)
        back = ((x - 20) + 1j * (y - 16)) * turn
        expected = (back.real / 10) ** 2 + (back.imag / 4) ** 2 <= 1
        found = parse_annotation(dict(result=[oval]), LABELS, SIZE, 'x')
        assert np.array_equal(found.labels == 2, expected) and expected.sum() > 110
    asked = asked_masks()['city/a']
    found = parse_annotation(dict(result=[bitmask('car', asked)]), LABELS, SIZE, 'x')
    assert np.array_equal(found.labels == 2, asked)
    labelled = brush('car', asked)  # <Brush> with <Labels>
    labelled['value']['labels'] = labelled['value'].pop('brushlabels')
    found = parse_annotation(dict(result=[dict(labelled, type='labels')]), LABELS, SIZE, 'x')
    assert np.array_equal(found.labels == 2, asked)


@pytest.mark.parametrize(
    ('result', 'message'),
    [
        (brush('bus', np.ones(SIZE, bool)), "x has the label 'bus', which is not a class"),
        (brush('car', np.ones((9, 8), bool)), 'x is 8x9 pixels, its image 40x32'),
        (dict(brush('car', np.ones(SIZE, bool)), image_rotation=90), 'x was rotated by 90 degrees'),
    ],
)
def test_results_on_other_images_and_labels_are_refused(result, message):
    with pytest.raises(UserError, match=message):
        parse_annotation(dict(result=[result]), LABELS, SIZE, 'x')


@pytest.mark.parametrize(
    ('result', 'fault'),
    [
        (dict(type='brushlabels', value=dict(brushlabels=['car'])), 'it has no geometry'),
        (shape('brush', rle=[1, 2]), 'the brush is truncated'),
        (shape('brush', rle=10**12), 'the brush is not a list of bytes'),
        (shape('brush', rle=[300]), 'the brush is not a list of bytes'),
        (shape('brush', rle=None), 'the brush is not a list of bytes'),
        (polygon('car', [[1, 2], [3]]), 'a coordinate is not a number'),
        (polygon('car', [[1, 2], [3, 1e9], [5, 5]]), 'a coordinate lies far from the image'),
        (shape('rectangle', x=1, y=1, width='wide', height=3), 'wide is not a number'),
        (shape('ellipse', x=1, y=1, radiusX=1, radiusY=float('nan')), 'nan is not a number'),
        (shape('bitmask', imageDataURL='data:image/png;base64,AAAA'), 'its picture is not a'),
        (shape('bitmask', imageDataURL=None), 'its picture is not in base 64'),
        (shape('keypoint', x=None, y=2), 'None is not a number'),
        (dict(polygon('car', [[1, 2], [9, 9], [9, 1]]), original_width={}), '.. is not a number'),
        (dict(type='brushlabels', value=dict(brushlabels=[None])), 'its label is not a name'),
        (dict(type='brushlabels', value=3), 'it has no type or no value'),
        (None, 'it is not an object'),
    ],
)
def test_a_broken_result_is_skipped_and_counted(result, fault):
    part = np.zeros(SIZE, bool)
    part[3:6, 4:9] = True
    found = parse_annotation(dict(result=[result, brush('car', part)]), LABELS, SIZE, 'x')
    assert np.array_equal(found.labels == 2, part) and np.array_equal(found.labelled, part)
    ((text, count),) = found.broken.items()
    assert re.match(rf'\w+ .{fault}', text) and count == 1


def test_what_covers_nothing_says_nothing():
    empty = [shape('brush', rle=[]), polygon('car', []), polygon('car', [[3, 3]])]
    found = parse_annotation(dict(result=empty), LABELS, SIZE, 'x')
    assert not found.labelled.any() and not found.broken and not found.unread


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([dict(id=1, image='a.png', brush=[])], 'export as "JSON", not as "JSON-MIN"'),
        (dict(images=[]), 'export as "JSON"'),
        ([dict(data=None, annotations=[])], 'export as "JSON"'),
        ([dict(data={}, annotations=[3])], 'export as "JSON"'),
        ([dict(data=dict(image_id='x'), annotations=[dict(result=3)])], 'no list of results'),
    ],
)
def test_other_exports_are_refused(tmp_path, content, message):
    path = write_json(tmp_path / 'export.json', content)
    with pytest.raises(UserError, match=message):
        read(path, bare_request(SIZE))


def test_results_name_controls_of_the_config():
    view = ElementTree.fromstring(labelling_config(LABELS))
    controls = {e.get('name'): [c.get('value') for c in e] for e in view if e.get('toName')}
    assert set(controls) == {'brush', 'polygon', 'point', 'request'}
    asked = asked_masks()['city/a'] | asked_masks()['city/b.left']
    for result in results(task_of(asked, believed('city/a'))):
        (label,) = result['value'][result['type']]
        assert label in controls[result['from_name']]
        assert result['to_name'] == view.find('Image').get('name')
    assert 'asked' not in controls['brush'] + controls['polygon']


def test_its_own_validator_takes_config_tasks_and_beliefs():
    interface = pytest.importorskip(
        'label_studio_sdk.label_interface', reason='needs label-studio-sdk: [label-studio]'
    ).LabelInterface(labelling_config(LABELS))
    interface.validate()
    for image_id, asked in asked_masks().items():
        task = task_of(asked, np.where(asked, believed(image_id), 255), image_id)
        (prediction,) = task.pop('predictions')
        assert interface.validate_task(task)
        assert interface.validate_prediction(prediction, return_errors=True) == []


def test_its_own_converter_reads_what_we_believe():
    theirs = pytest.importorskip(
        'label_studio_sdk.converter.brush', reason='needs label-studio-sdk: [label-studio]'
    )
    task = task_of(np.ones(SIZE, bool), truth('c'), 'c')
    brushes = [r for r in results(task) if r['type'] == 'brushlabels']
    flat = [dict(r, **r['value']) for r in brushes]
    for name, layer in theirs.decode_from_annotation('brush', flat).items():
        value = LABELS.names.index(name.removeprefix('brush-').rpartition('-')[0])
        assert np.array_equal(layer > 0, truth('c') == value)
    assert len(flat) == len(LABELS.names)
