"""Masks in a folder."""

import shutil
import zipfile
from functools import partial

import numpy as np
import pytest
from exchange_runs import IDS, LABELS, SIZE, asked_masks, believed, read_all, truth
from PIL import Image

from mmseg_tsf.active_learning.exchange.answers import write_answers
from mmseg_tsf.active_learning.exchange.formats.masks import MaskFormat
from mmseg_tsf.active_learning.exchange.gather import read_exports
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.tool_export import ToolExport
from mmseg_tsf.active_learning.store.label_png import decode
from mmseg_tsf.utils.errors import UserError

read = partial(read_all, MaskFormat())


@pytest.fixture(scope='module')
def package(waiting, tmp_path_factory):
    folder = tmp_path_factory.mktemp('folder') / 'package'
    export_request(waiting, folder, dict(type='masks'))
    return folder


def save(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


def test_a_package_holds_images_requests_and_beliefs(package):
    for image_id, asked in asked_masks().items():
        for kind, labels in (
            ('requests', asked * 255),
            ('prelabels', np.where(asked, believed(image_id), 255)),
        ):
            path = package / f'{kind}/{image_id}.png'
            assert np.array_equal(decode(path.read_bytes(), 'x'), labels)
        assert (package / f'images/{image_id}.png').is_file()
    readme = (package / 'README.txt').read_text()
    assert '       0  background\n' in readme and '       3  pole\n' in readme


def test_a_package_without_masks_says_nothing(package, waiting):
    assert read(package, waiting) == {}


def test_masks_of_a_package_a_folder_or_an_archive_are_read(package, waiting, tmp_path):
    package = shutil.copytree(package, tmp_path / 'package')
    for image_id in IDS:
        save(package / f'masks/{image_id}.png', truth(image_id))
    with zipfile.ZipFile(tmp_path / 'masks.zip', 'w') as archive:
        for image_id in IDS:
            archive.write(package / f'masks/{image_id}.png', f'{image_id}.png')
    for path in (package, package / 'masks', tmp_path / 'masks.zip'):
        found = read(path, waiting)
        assert set(found) == set(IDS)
        for image_id, answer in found.items():
            assert np.array_equal(answer.labels, truth(image_id)) and answer.labelled.all()


def test_255_is_an_answer_and_classes_outside_alone_are_none(waiting, tmp_path):
    save(tmp_path / 'in/city/a.png', np.full(SIZE, 255, np.uint8))
    summary = take(tmp_path, waiting)
    assert summary.written == ['city/a'] and not summary.unlabelled and not summary.dropped
    asked = asked_masks()['city/a']
    save(tmp_path / 'in/city/a.png', np.where(asked, 255, truth('city/a')))
    with pytest.raises(UserError, match='city/a has classes outside of the request only: was it'):
        take(tmp_path, waiting)


def take(folder, request):
    found = read_exports([ToolExport(folder / 'in')], MaskFormat(), request, LABELS)
    return write_answers(found, request, folder / 'out')


def test_what_was_not_asked_is_not_looked_at(waiting, tmp_path):
    labels = np.full(SIZE, 77, np.uint8)
    asked = asked_masks()['city/a']
    labels[asked] = 1
    save(tmp_path / 'in/city/a.png', labels)
    save(tmp_path / 'in/other.png', labels)
    (tmp_path / 'in/notes.txt').write_text('')
    (tmp_path / 'in/city/a.jpg').write_text('')  # its image, perhaps
    summary = take(tmp_path, waiting)
    assert sorted(summary.foreign) == ['city/a.jpg', 'notes.txt', 'other.png']
    written = decode((tmp_path / 'out/city/a.png').read_bytes(), 'x')
    assert np.array_equal(written, np.where(asked, 1, 255))


def test_foreign_ids_are_refused(waiting, tmp_path):
    save(tmp_path / 'in/c.png', np.full(SIZE, 4, np.uint8))
    with pytest.raises(UserError, match=r'c has the class ids \[4\] inside of the request'):
        take(tmp_path, waiting)


@pytest.mark.parametrize(
    ('picture', 'message'),
    [
        (np.zeros((9, 8), np.uint8), 'is 8x9 pixels, its image 40x32'),
        (
            np.full((*SIZE, 3), (1, 2, 3), np.uint8),
            'has no channel of class ids with 8 bits: write',
        ),
        (np.eye(*SIZE, dtype=bool), 'has 1 bit per pixel'),
        (np.zeros(SIZE, np.uint16), 'has more than 8 bits per channel'),
    ],
)
def test_wrong_masks_are_refused(waiting, tmp_path, picture, message):
    save(tmp_path / 'c.png', picture)
    with pytest.raises(UserError, match=rf'c\.png {message}'):
        read(tmp_path, waiting)


def as_palette(labels: np.ndarray, order: list[int]) -> Image.Image:
    """Palette PNG in our colours, of which colour k has the index ``order[k]``."""
    picture = Image.fromarray(np.array(order, np.uint8)[labels], 'P')
    colours = np.zeros((256, 3), np.uint8)
    colours[order] = LABELS.colours
    picture.putpalette(colours.ravel().tolist())
    return picture


def test_colours_are_read_by_the_legend_that_stands_with_them(package, waiting, tmp_path):
    labels = truth('c')
    shutil.copy(package / 'labelmap.txt', tmp_path)
    save(tmp_path / 'c.png', np.array(LABELS.colours, np.uint8)[labels])
    assert np.array_equal(read(tmp_path, waiting)['c'].labels, labels)
    # an editor has renumbered the palette to values that are no class
    as_palette(labels, [9, 3, 7, 5]).save(tmp_path / 'c.png')
    assert np.array_equal(read(tmp_path, waiting)['c'].labels, labels)
    as_palette(labels, [0, 1, 2, 3]).save(tmp_path / 'c.png')  # both say the same
    assert np.array_equal(read(tmp_path, waiting)['c'].labels, labels)
    as_palette(labels, [1, 0, 2, 3]).save(tmp_path / 'c.png')  # both could be meant
    with pytest.raises(UserError, match=r'c\.png is a palette PNG whose indices mean other clas'):
        read(tmp_path, waiting)
    (tmp_path / 'labelmap.txt').unlink()  # without a legend, indices are all there is ...
    assert np.array_equal(read(tmp_path, waiting)['c'].labels, np.array([1, 0, 2, 3])[labels])
    save(tmp_path / 'c.png', labels)
    (tmp_path / 'labelmap.txt').write_text('road:0,0,0::\ncar:255,255,255::')
    assert np.array_equal(read(tmp_path, waiting)['c'].labels, labels)  # grey class ids
    save(tmp_path / 'c.png', labels == 2)
    assert np.array_equal(read(tmp_path, waiting)['c'].labels, np.where(labels == 2, 2, 1))


def test_shades_of_grey_are_class_ids_also_in_a_palette(waiting, tmp_path):
    labels = truth('c')
    save(tmp_path / 'c.png', np.repeat(labels[..., None], 3, 2))  # RGB of an editor
    assert np.array_equal(read(tmp_path, waiting)['c'].labels, labels)
    picture = Image.fromarray(labels + np.uint8(100))  # renumbered, with the old grey values
    picture.putpalette([0, 0, 0] * 100 + [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    picture.save(tmp_path / 'c.png')
    assert np.array_equal(read(tmp_path, waiting)['c'].labels, labels)
    picture = Image.fromarray(labels)  # shades that only make it visible
    picture.putpalette([0, 0, 0, 80, 80, 80, 160, 160, 160, 240, 240, 240])
    picture.save(tmp_path / 'c.png')
    assert np.array_equal(read(tmp_path, waiting)['c'].labels, labels)
    picture.putpalette([1, 1, 1, 0, 0, 0, 2, 2, 2, 3, 3, 3])  # both could be meant
    picture.save(tmp_path / 'c.png')
    with pytest.raises(UserError, match=r'c\.png is a palette PNG whose indices mean other clas'):
        read(tmp_path, waiting)
