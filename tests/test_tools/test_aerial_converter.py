"""``tools/dataset_converters/aerial.py`` on chips generated here."""

import numpy as np
import pytest
from PIL import Image
from tool_loader import load_tool

from mmseg_tsf.datasets.aerial import AerialChipsDataset
from mmseg_tsf.utils.errors import UserError

SCENES = {'1d4fbe33f3_F1BE1D4184INSPIRE': 36, 'ec09336a6f_06BA0AF311OPENPIPELINE': 224}
FIRST = '1d4fbe33f3_F1BE1D4184INSPIRE-000000.png'
IDS = np.arange(6, dtype=np.uint8).repeat(8).reshape(6, 8)


@pytest.fixture(scope='module')
def tool():
    return load_tool('dataset_converters/aerial.py')


@pytest.fixture
def source(tmp_path):
    for folder in ('image-chips', 'label-chips'):
        (tmp_path / folder).mkdir()
    label = Image.fromarray(np.stack([IDS * 40] * 3, axis=-1))
    for scene, count in SCENES.items():
        for number in range(count):
            name = f'{scene}-{number:06}.png'
            image = np.full((6, 8, 3), 90 + number // 2, np.uint8)
            Image.fromarray(image).save(tmp_path / 'image-chips' / name)
            label.save(tmp_path / 'label-chips' / name)
    return tmp_path


def test_strips_of_both_scenes_become_the_three_splits(tool, source, capsys):
    out = source / 'out'
    tool.main([str(source), '--out', str(out)])
    assert '155 train, 34 val, 71 test' in capsys.readouterr().out
    names = {
        split: {path.stem for path in (out / 'img_dir' / split).glob('*.jpg')}
        for split in ('train', 'val', 'test')
    }
    strips = [('train', 'a', 0, 16), ('test', 'a', 16, 28), ('val', 'a', 28, 32)]
    strips += [('train', 'a', 32, 36), ('test', 'b', 0, 30), ('val', 'b', 30, 60)]
    strips += [('train', 'b', 60, 195), ('test', 'b', 195, 224)]
    for split, letter, first, end in strips:
        assert {f'{letter}{n:03}' for n in range(first, end)} <= names[split]
    assert sum(map(len, names.values())) == 260
    mask = Image.open(out / 'ann_dir/train/b100.png')
    assert mask.mode == 'P' and np.array_equal(np.asarray(mask), IDS)
    assert mask.getpalette()[:18] == np.ravel(AerialChipsDataset.METAINFO['palette']).tolist()
    image = np.asarray(Image.open(out / 'img_dir/train/b100.jpg')).astype(int)
    assert abs(image - 140).max() <= 1
    with pytest.raises(UserError, match='img_dir is not empty: choose another --out'):
        tool.main([str(source), '--out', str(out)])


def colours(source):
    Image.fromarray(np.stack([IDS * 40, IDS * 0, IDS], axis=-1)).save(
        source / 'label-chips' / FIRST
    )


def other_values(source):
    Image.fromarray(IDS * 40 + 1).save(source / 'label-chips' / FIRST)


def other_size(source):
    Image.fromarray(IDS[:3] * 40).save(source / 'label-chips' / FIRST)


def no_label(source):
    (source / 'label-chips' / FIRST).unlink()


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (colours, 'has other values than the grey levels 0, 40, 80, 120, 160, 200: check out'),
        (other_values, 'has other values than the grey levels'),
        (other_size, r'is \(8, 3\) pixels, its image .* is \(8, 6\)'),
        (no_label, 'does not exist: SOURCE must be data/dataset-sample'),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(tool, source, damage, message):
    damage(source)
    with pytest.raises(UserError, match=message):
        tool.main([str(source), '--out', str(source / 'out')])
    assert not (source / 'out').exists()
