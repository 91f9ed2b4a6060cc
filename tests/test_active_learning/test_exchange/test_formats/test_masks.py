"""Masks in a folder."""

import shutil
import zipfile

import numpy as np
import pytest
from exchange_runs import IDS, LABELS, SIZE, asked_masks, believed, truth
from PIL import Image

from mmseg_tsf.active_learning.exchange.formats.masks import MaskFormat
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.tool_export import ToolExport
from mmseg_tsf.active_learning.store.label_png import decode, encode_mask
from mmseg_tsf.utils.errors import UserError

read = MaskFormat().read


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
    assert list(read(ToolExport(package), waiting, LABELS)) == []


def test_masks_of_a_package_a_folder_or_an_archive_are_read(package, waiting, tmp_path):
    package = shutil.copytree(package, tmp_path / 'package')
    for image_id in IDS:
        save(package / f'masks/{image_id}.png', truth(image_id))
    with zipfile.ZipFile(tmp_path / 'masks.zip', 'w') as archive:
        for image_id in IDS:
            archive.write(package / f'masks/{image_id}.png', f'{image_id}.png')
    for path in (package, package / 'masks', tmp_path / 'masks.zip'):
        found = dict(read(ToolExport(path), waiting, LABELS))
        assert set(found) == set(IDS)
        for image_id, answer in found.items():
            assert np.array_equal(answer.labels, truth(image_id)) and answer.labelled.all()


def test_255_is_an_answer_where_it_was_asked_only(waiting, tmp_path):
    save(tmp_path / 'city/a.png', np.full(SIZE, 255, np.uint8))
    ((_, answer),) = read(ToolExport(tmp_path), waiting, LABELS)
    assert np.array_equal(answer.labelled, asked_masks()['city/a'])


def test_what_was_not_asked_is_not_looked_at(waiting, tmp_path):
    labels = np.full(SIZE, 77, np.uint8)
    labels[asked_masks()['city/a']] = 1
    save(tmp_path / 'city/a.png', labels)
    save(tmp_path / 'other.png', labels)
    (tmp_path / 'notes.txt').write_text('')
    found = list(read(ToolExport(tmp_path), waiting, LABELS))
    assert sorted(str(image_id) for image_id, _ in found) == ['None', 'None', 'city/a']


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        (np.full(SIZE, 4, np.uint8), r'has the class ids \[4\] inside of the request'),
        (np.zeros((9, 8), np.uint8), 'is 8x9 pixels, its image 40x32'),
        (np.zeros((*SIZE, 3), np.uint8), 'has shape .* must have one channel of class ids'),
    ],
)
def test_wrong_masks_are_refused(waiting, tmp_path, labels, message):
    save(tmp_path / 'c.png', labels)
    with pytest.raises(UserError, match=rf'c\.png {message}'):
        list(read(ToolExport(tmp_path), waiting, LABELS))


def test_masks_of_one_bit_are_refused(waiting, tmp_path):
    (tmp_path / 'c.png').write_bytes(encode_mask(np.ones(SIZE, bool)))
    with pytest.raises(UserError, match=r'c\.png has 1 bit per pixel'):
        list(read(ToolExport(tmp_path), waiting, LABELS))
