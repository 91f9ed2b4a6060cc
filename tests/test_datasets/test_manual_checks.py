"""Manual labels belong to images and hold class ids, or the training does not start."""

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image
from tiny_runs import semi_dataset_cfg

from mmseg_tsf.utils.errors import UserError


def build(root, folder='manual', **options):
    return DATASETS.build(
        semi_dataset_cfg(root, manual_labels=f'{root}/{folder}', seed=1, **options)
    )


@pytest.fixture
def folder(own_data_root):
    manual = own_data_root / 'manual'
    manual.mkdir()
    write(manual / 'frame_6.png', 1)
    return manual


def write(path, value, size=(40, 48), kind=np.uint8):
    labels = np.full(size, 255, np.uint8).astype(kind)
    labels[:5] = value
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(labels).save(path)


def test_labels_of_labelled_images_and_notes_may_lie_beside(own_data_root, folder):
    write(folder / 'frame_0.png', 2)
    (folder / 'manifest.json').write_text('{}')
    (folder / '.frame_77.png').write_bytes(b'')
    (folder / 'notes.txt').write_text('of May')
    labels = [
        build(own_data_root)[7 + i]['data_samples']['unlabelled'].gt_sem_seg.data for i in range(7)
    ]
    assert [bool((label != 255).any()) for label in labels].count(True) <= 1


@pytest.mark.parametrize('name', ['frame_66.png', 'frame_6.PNG', 'frame_7.tif', 'img/frame_8.png'])
def test_names_that_fit_no_image(own_data_root, folder, name):
    write(folder / name, 1)
    sentence = rf'manual holds 1 files that belong to no image \({name}\): a label is a PNG with'
    with pytest.raises(UserError, match=sentence):
        build(own_data_root)


def test_a_folder_without_labels(own_data_root, folder):
    (folder / 'frame_6.png').unlink()
    with pytest.raises(UserError, match='manual holds no label'):
        build(own_data_root)


def test_linked_folders_are_looked_into(own_data_root, folder):
    (own_data_root / 'elsewhere').mkdir()
    write(own_data_root / 'elsewhere' / 'x.png', 1)
    (folder / 'more').symlink_to(own_data_root / 'elsewhere')
    with pytest.raises(UserError, match=r'belong to no image \(more/x.png\)'):
        build(own_data_root)


def test_what_is_in_the_files(own_data_root, folder):
    path = folder / 'frame_6.png'
    write(path, 4)
    with pytest.raises(UserError, match=r'frame_6.png has the class ids \[4\], but there are 4'):
        build(own_data_root)
    write(path, 300, kind=np.uint16)
    with pytest.raises(UserError, match=r'frame_6.png has the type .* and holds 300'):
        build(own_data_root)
    path.write_bytes(b'no image')
    with pytest.raises(UserError, match='frame_6.png cannot be read'):
        build(own_data_root)


def test_manual_labels_need_a_pool(own_data_root, folder):
    with pytest.raises(UserError, match='manual_labels needs SemiDataset.unlabelled'):
        build(own_data_root, unlabelled=None)
