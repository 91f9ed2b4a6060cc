"""CVAT: tasks with outlines and masks, and both exports, also after people have worked on them."""

import io
import json
import re
import zipfile
from functools import partial
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
import pytest
from exchange_runs import (
    IDS,
    LABELS,
    SIZE,
    answers,
    as_colours,
    asked_masks,
    bare_request,
    believed,
    few,
    labelmap,
    layers,
    read_all,
    segmentation_mask,
    truth,
)
from hypothesis import given
from PIL import Image

from mmseg_tsf.active_learning.exchange.formats.cvat import (
    CVATFormat,
    add_mask,
    annotations,
    label_specs,
    parse_image,
)
from mmseg_tsf.active_learning.exchange.formats.cvat_masks import parse_mask
from mmseg_tsf.active_learning.exchange.formats.legend import parse_labelmap
from mmseg_tsf.active_learning.exchange.label_set import LabelSet
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.shapes.outlines import fill
from mmseg_tsf.utils.errors import UserError

read = partial(read_all, CVATFormat())


@pytest.fixture(scope='module')
def package(waiting, tmp_path_factory):
    folder = tmp_path_factory.mktemp('cvat') / 'package'
    export_request(waiting, folder, dict(type='cvat'))
    return folder


def image(size=SIZE) -> Element:
    return Element('image', name='x.png', height=str(size[0]), width=str(size[1]))


def draw(element, tag, label, **attributes):
    SubElement(element, tag, label=label, **attributes)
    return element


def points(shape) -> np.ndarray:
    return np.array([[float(v) for v in p.split(',')] for p in shape.get('points').split(';')])


def test_a_task_has_the_request_as_lines_and_beliefs_as_masks(package, waiting):
    root = ElementTree.parse(package / 'annotations.xml').getroot()
    assert root.findtext('version') == '1.1'
    names = [f'{waiting.tag}/{i}.png' for i in sorted(IDS)]
    assert [e.get('name') for e in root.iter('image')] == names
    with zipfile.ZipFile(package / 'images.zip') as archive:
        assert sorted(archive.namelist()) == names
        content = archive.read(f'{waiting.tag}/city/a.png')
    assert content == waiting.image_file('city/a').read_bytes()
    element = root.find(f"image[@name='{waiting.tag}/city/a.png']")
    assert (element.get('width'), element.get('height')) == ('40', '32')
    lines = element.findall('polyline')
    assert {line.get('label') for line in lines} == {'asked'}
    assert all(np.array_equal(points(line)[0], points(line)[-1]) for line in lines)
    asked = asked_masks()['city/a']
    assert np.array_equal(fill([points(line) for line in lines], SIZE), asked)
    found = parse_image(element, LABELS, SIZE, 'x')
    assert np.array_equal(found.labelled, asked)
    assert np.array_equal(found.labels, np.where(asked, believed('city/a'), 255))


def test_single_pixels_are_points(package, waiting):
    root = ElementTree.parse(package / 'annotations.xml').getroot()
    element = root.find(f"image[@name='{waiting.tag}/city/b.left.png']")
    assert {shape.tag for shape in element} == {'points'}
    places = {tuple(points(shape)[0].tolist()): shape.get('label') for shape in element}
    labels = believed('city/b.left')
    pixels = ((2, 5), (9, 38), (30, 0))
    assert places == {(c + 0.5, r + 0.5): LABELS.names[labels[r, c]] for r, c in pixels}
    found = parse_image(element, LABELS, SIZE, 'x')
    assert np.array_equal(found.labelled, asked_masks()['city/b.left'])


def test_without_beliefs_nothing_is_said_yet(waiting, tmp_path):
    export_request(waiting, tmp_path / 'package', dict(type='cvat'), prelabels=False)
    root = ElementTree.parse(tmp_path / 'package/annotations.xml').getroot()
    assert {shape.get('label') for shape in root.iter() if shape.get('label')} == {'asked'}
    found = read(tmp_path / 'package/annotations.xml', waiting)
    assert not any(answer.labelled.any() for answer in found.values())


def test_labels_are_what_the_server_takes(package):
    specs = json.loads((package / 'labels.json').read_text())
    assert [spec['name'] for spec in specs] == [*LABELS.palette, 'asked']
    assert 'background' not in {spec['name'] for spec in specs}  # CVAT paints that by itself
    assert len({spec['color'] for spec in specs}) == len(specs)
    models = pytest.importorskip('cvat_sdk.models', reason='needs cvat-sdk[masks]: [cvat]')
    for spec in specs:
        assert models.PatchedLabelRequest(**spec).name == spec['name']


@few
@given(answers())
def test_xml_comes_back_as_it_was_said(answer):
    labels, said = answer
    element = image(labels.shape)
    for name, mask in layers(labels, said):
        add_mask(element, name, mask)
    element = ElementTree.fromstring(annotations([element], LABELS)).find('image')
    found = parse_image(element, LABELS, labels.shape, 'x')
    assert np.array_equal(found.labelled, said)
    assert np.array_equal(found.labels, np.where(said, labels, 255))


@few
@given(answers())
def test_masks_come_back_as_they_were_said(answer):
    labels, said = answer
    names = parse_labelmap(labelmap(), LABELS, 'x')
    found = parse_mask(as_colours(labels, said), names, LABELS, labels.shape, 'x')
    assert np.array_equal(found.labelled, said)
    assert np.array_equal(found.labels, np.where(said, labels, 255))


def test_an_export_of_masks_is_read_whole(waiting, tmp_path):
    said = asked_masks()['city/a']
    found = {'city/a': (truth('city/a'), said), 'foreign': (truth('c'), said)}
    images = read(segmentation_mask(tmp_path / 'export.zip', found), waiting)
    assert set(images) == {'city/a', 'foreign.png'} and images['foreign.png'] is None
    assert np.array_equal(images['city/a'].labelled, said)
    with zipfile.ZipFile(tmp_path / 'export.zip') as archive:
        archive.extractall(tmp_path / 'unpacked/task')
    again = read(tmp_path / 'unpacked', waiting)
    assert np.array_equal(again['city/a'].labels, images['city/a'].labels)


def test_unlabelled_is_not_background():
    nothing = as_colours(truth('c'), np.zeros(SIZE, bool))
    names = parse_labelmap(labelmap(), LABELS, 'x')
    assert not parse_mask(nothing, names, LABELS, SIZE, 'x').labelled.any()
    # in a task of people's own the class is called so: there the request decides
    own = 'background:0,0,0::\nroad:128,64,128::\n'
    found = parse_mask(nothing, parse_labelmap(own, LABELS, 'x'), LABELS, SIZE, 'x')
    assert found.labelled.all() and not found.labels.any()
    # and without such a class black says nothing, whatever else there is
    labels = LabelSet(('road', 'car'))
    assert not parse_mask(
        nothing, parse_labelmap(own, labels, 'x'), labels, SIZE, 'x'
    ).labelled.any()


def test_undeclared_colours_and_labels_are_refused():
    picture = as_colours(truth('c'), np.ones(SIZE, bool))
    text = labelmap().replace('car:128,128,0', 'car:128,129,0')
    with pytest.raises(UserError, match='x has the colour #808000, which its labelmap.txt does'):
        parse_mask(picture, parse_labelmap(text, LABELS, 'x'), LABELS, SIZE, 'x')
    text = labelmap().replace('car:', 'bus:')
    names = parse_labelmap(text, LABELS, 'x')
    with pytest.raises(UserError, match="x has the label 'bus', which is not a class"):
        parse_mask(picture, names, LABELS, SIZE, 'x')
    unused = as_colours(truth('c'), truth('c') != 2)
    assert parse_mask(unused, names, LABELS, SIZE, 'x').labelled.sum() == (truth('c') != 2).sum()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('road:1,2,3::\ncar:1,2,3::', "the colour #010203 to 'road' and 'car': change one"),
        ('road:1,2::', "line 'road:1,2::', which is not name:red,green,blue"),
        ('road', "line 'road', which is not"),
        ('road:1,2,300::', "line 'road:1,2,300::', which is not"),
        ('road:1,2,-3::', "line 'road:1,2,-3::', which is not"),
        ('road:1,2,3::\nroad:1,2,4::', "gives two colours to 'road': give each export its own"),
    ],
)
def test_a_wrong_labelmap_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        parse_labelmap(text, LABELS, 'x')


def test_names_may_hold_colons_and_hashes():
    labels = LabelSet(('a:b', 'c#'))
    found = parse_labelmap('a:b:1,2,3:part:act\n# c\nc#:4,5,6::', labels, 'x')
    assert found == {0x010203: 'a:b', 0x040506: 'c#'}


def test_what_lies_on_top_counts():
    square = dict(points='2.00,2.00;8.00,2.00;8.00,8.00;2.00,8.00')
    element = draw(image(), 'polygon', 'car', z_order='1', **square)
    draw(element, 'mask', 'road', rle='0, 1600', left='0', top='0', width='40', height='40')
    element.set('height', '40')
    found = parse_image(element, LABELS, (40, 40), 'x')
    assert (found.labels[2:8, 2:8] == 2).all() and (found.labels == 1).sum() == 1600 - 36
    draw(element, 'polygon', 'pole', z_order='1', **square)  # drawn later
    assert parse_image(element, LABELS, (40, 40), 'x').labels[5, 5] == 3


def test_disconnected_parts_and_holes_stay_in_one_mask():
    mask = asked_masks()['city/a']
    element = image()
    add_mask(element, 'car', mask)
    (shape,) = element
    assert (shape.get('left'), shape.get('top')) == ('3', '4')
    assert (shape.get('width'), shape.get('height')) == ('37', '28')
    assert np.array_equal(parse_image(element, LABELS, SIZE, 'x').labels == 2, mask)


def test_lines_say_nothing_and_other_shapes_are_named():
    element = draw(image(), 'polyline', 'car', points='0,0;9,0;9,9')
    draw(element, 'tag', 'car')
    draw(element, 'polygon', 'asked', points='0,0;9,0;9,9')
    draw(element, 'skeleton', 'car')
    draw(element, 'points', 'cannot be said', points='3.2,4.9;5.0,6.0')
    found = parse_image(element, LABELS, SIZE, 'x')
    assert np.argwhere(found.labelled).tolist() == [[4, 3], [6, 5]]
    assert (found.labels == 255).all()
    assert found.unread == {'skeleton': 1} and not found.broken


def test_turned_boxes_and_ellipses_cover_the_centres_inside():
    """Against the definition: a centre is turned back around the middle of the shape."""
    box = dict(xtl='10', ytl='8', xbr='26', ybr='14')
    round_ = dict(cx='18', cy='16', rx='9', ry='4')
    y, x = np.indices(SIZE) + 0.5
    for degrees in (30, 90, 145.5, 300):
        turn = np.exp(-1j * np.radians(degrees))
        found = parse_image(
            draw(image(), 'box', 'car', rotation=str(degrees), **box), LABELS, SIZE, 'x'
        )
        back = ((x - 18) + 1j * (y - 11)) * turn
        expected = (abs(back.real) < 8) & (abs(back.imag) < 3)
        assert np.array_equal(found.labels == 2, expected) and expected.sum() > 80
        found = parse_image(
            draw(image(), 'ellipse', 'car', rotation=str(degrees), **round_), LABELS, SIZE, 'x'
        )
        back = ((x - 18) + 1j * (y - 16)) * turn
        expected = (back.real / 9) ** 2 + (back.imag / 4) ** 2 <= 1
        assert np.array_equal(found.labels == 2, expected) and expected.sum() > 100


def test_boxes_and_ellipses_cover_the_centres_inside():
    element = draw(image(), 'box', 'car', xtl='1.4', ytl='2.6', xbr='4.5', ybr='5.0')
    draw(element, 'ellipse', 'pole', cx='20', cy='10', rx='3', ry='1', rotation='0.00')
    found = parse_image(element, LABELS, SIZE, 'x')
    box = np.argwhere(found.labels == LABELS.value('car', ''))
    assert box.tolist() == [[row, column] for row in (3, 4) for column in (1, 2, 3)]
    ellipse = np.argwhere(found.labels == LABELS.value('pole', ''))
    # half a pixel off the axis of height 1, an ellipse of width 3 ends after 3 cos(30 degrees)
    assert ellipse.tolist() == [[row, column] for row in (9, 10) for column in range(17, 23)]
    assert not found.unread


@pytest.mark.parametrize(
    ('element', 'message'),
    [
        (image((9, 9)), 'x is 9x9 pixels, its image 40x32'),
        (Element('image', name='x.png'), 'x has no size .None is not a number'),
        (
            draw(image(), 'polygon', 'bus', points='0,0;1,0;1,1'),
            "label 'bus', which is not a class",
        ),
    ],
)
def test_other_images_and_labels_are_refused(element, message):
    with pytest.raises(UserError, match=message):
        parse_image(element, LABELS, SIZE, 'x')


CORNERS = dict(xtl='1', ytl='1', xbr='3', ybr='3')
PLACE = dict(left='0', top='0', width='2', height='2')


@pytest.mark.parametrize(
    ('tag', 'attributes', 'fault'),
    [
        ('polygon', dict(points='0;1'), 'the coordinates are not pairs'),
        ('polygon', dict(points='0,0;nan,1;3,3'), 'a coordinate is not a number'),
        ('polygon', dict(points='0,0;1e99,1;3,3'), 'a coordinate lies far from the image'),
        ('polygon', dict(points='0,0;5,1;3,3', z_order='top'), 'top is not a number'),
        ('points', dict(points='a,b'), 'a coordinate is not a number'),
        ('box', dict(CORNERS, xbr='inf'), 'inf is not a number'),
        ('box', dict(CORNERS, rotation='left'), 'left is not a number'),
        ('ellipse', dict(cx='1', cy='1', rx='500', ry='2'), 'a coordinate lies far from'),
        ('mask', dict(PLACE, rle='0,5'), 'a run of the mask covers 5 of 4 pixels'),
        ('mask', dict(PLACE, rle=f'{2**62},{2**62},4'), '4611686018427387904 is not a whole'),
        ('mask', dict(PLACE, rle='4', width='99'), 'the box .0, 0, 99, 2. .* leaves the image'),
        ('mask', dict(PLACE, rle='x'), 'x is not a number'),
    ],
)
def test_a_broken_shape_is_skipped_and_counted(tag, attributes, fault):
    element = draw(image(), tag, 'road', **attributes)
    draw(element, 'box', 'car', **CORNERS)
    found = parse_image(element, LABELS, SIZE, 'x')
    assert np.argwhere(found.labelled).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    ((text, count),) = found.broken.items()
    assert re.match(rf'{tag} .{fault}', text) and count == 1


def test_what_covers_nothing_says_nothing():
    element = draw(image(), 'polygon', 'car')
    draw(element, 'polygon', 'car', points='')
    draw(element, 'polygon', 'car', points='3,3')
    draw(element, 'mask', 'car', rle='', **PLACE)
    found = parse_image(element, LABELS, SIZE, 'x')
    assert not found.labelled.any() and not found.broken and not found.unread


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.xml', '<annotations><track/></annotations>', 'is not "CVAT for images 1.1": export'),
        ('a.xml', '<annotations>', 'a.xml is not XML: export it again'),
        ('a.xml', '<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', 'the document type a'),
        ('a.xml', '<a>' * 100_000, 'a.xml is nested too deeply'),
        ('a.txt', '', r'holds 0 files that end in \.xml, but an export from CVAT has one'),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        read(tmp_path / name, bare_request(SIZE))


def test_pictures_that_are_none_are_refused():
    picture = as_colours(truth('c'), np.ones(SIZE, bool))
    names = parse_labelmap(labelmap(), LABELS, 'x')
    with pytest.raises(UserError, match='x is 40x32 pixels, its image 9x9'):
        parse_mask(picture, names, LABELS, (9, 9), 'x')
    with pytest.raises(UserError, match='x is not a complete PNG: export it again'):
        parse_mask(picture[:60], names, LABELS, SIZE, 'x')


def test_label_specs_follow_the_classes():
    names = [spec['name'] for spec in label_specs(LabelSet(('a', 'b')))]
    assert names == ['a', 'b', 'cannot be said', 'asked']


def test_grey_and_one_bit_pictures_are_read_by_their_colours():
    legend = {0: 'asked', 0xFFFFFF: 'car', 0x808080: 'road'}
    said = np.zeros(SIZE, bool)
    said[3:9, 4:20] = True
    for mode in ('1', 'L', 'P', 'RGB', 'RGBA', 'LA'):
        picture = Image.fromarray(said * np.uint8(255)).convert(mode)
        buffer = io.BytesIO()
        picture.save(buffer, format='PNG')
        found = parse_mask(buffer.getvalue(), legend, LABELS, SIZE, 'x')
        assert np.array_equal(found.labels == 2, said) and np.array_equal(found.labelled, said)
    clear = np.zeros((*SIZE, 4), np.uint8)
    clear[said] = 128, 128, 128, 255
    buffer = io.BytesIO()
    Image.fromarray(clear).save(buffer, format='PNG')
    found = parse_mask(buffer.getvalue(), {0x808080: 'road'}, LABELS, SIZE, 'x')
    assert np.array_equal(found.labels == 1, said)
    buffer = io.BytesIO()
    Image.fromarray(said.astype(np.uint16)).save(buffer, format='PNG')
    with pytest.raises(UserError, match='x has more than 8 bits per channel'):
        parse_mask(buffer.getvalue(), legend, LABELS, SIZE, 'x')


def test_two_exports_in_one_folder_are_read_each_by_its_own_legend(waiting, tmp_path):
    everywhere = np.ones(SIZE, bool)
    for name, image_id in (('one', 'c'), ('two', 'city/a')):
        path = segmentation_mask(tmp_path / 'a.zip', {image_id: (truth(image_id), everywhere)})
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / f'both/{name}')
        path.unlink()
        labels = tmp_path / f'both/{name}/labelmap.txt'
        # the first export knows the colours of road and car the other way round
        if name == 'one':
            text = labels.read_text().replace('128,128,0', '1,1,1').replace('0,128,0', '128,128,0')
            labels.write_text(text.replace('1,1,1', '0,128,0'))
    found = read(tmp_path / 'both', waiting)
    swapped = np.array([0, 2, 1, 3], np.uint8)
    assert np.array_equal(found['c'].labels, swapped[truth('c')])
    assert np.array_equal(found['city/a'].labels, truth('city/a'))
    (tmp_path / 'both/one/labelmap.txt').unlink()
    with pytest.raises(UserError, match='has no labelmap.txt beside or above one/SegmentationCl'):
        read(tmp_path / 'both', waiting)
