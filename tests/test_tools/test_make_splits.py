"""``tools/make_splits.py``: every source of images, every refusal."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
REFUSED = (FileExistsError, FileNotFoundError, ValueError)


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('make_splits', ROOT / 'tools/make_splits.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tmp_path):
    """Eight images in two sub-folders; class 2 only in the last one, named 255 elsewhere."""
    for index in range(8):
        name = f'site{index % 2}/{index:02d}'
        image, mask = tmp_path / f'img/{name}_x.jpg', tmp_path / f'ann/{name}_y.png'
        for path in (image, mask):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(image)
        ids = np.ones((4, 4), np.uint8)
        ids[0] = 2 if index == 7 else 255
        Image.fromarray(ids).save(mask)
    return tmp_path


def lines(*parts):
    return Path(*parts).read_text().splitlines()


def folder_args(data, out='out'):
    return ['--image-dir', f'{data}/img', '--suffix', '_x.jpg', '--out', f'{data}/{out}']


def write_config(data, dataset):
    path = data / 'config.py'
    path.write_text(f'train_dataloader = dict(dataset={dataset!r})\n')
    return str(path)


def part(data, **kwargs):
    prefix = dict(img_path=f'{data}/img', seg_map_path=f'{data}/ann')
    suffixes = dict(img_suffix='_x.jpg', seg_map_suffix='_y.png')
    return dict(type='BaseSegDataset', data_prefix=prefix, **suffixes, **kwargs)


def test_folder_gives_nested_lists(tool, data):
    tool.main([*folder_args(data), '--fractions', '1/4', '1/2'])
    quarter, half = (lines(data, 'out', name, 'labelled.txt') for name in ('1-4', '1-2'))
    # sorted, random.Random(0).shuffle, first two and first four
    assert quarter == ['site0/02', 'site1/01']
    assert half == ['site0/02', 'site0/04', 'site1/01', 'site1/03']
    rest = lines(data, 'out/1-4/unlabelled.txt')
    assert sorted(quarter + rest) == [f'site{i % 2}/{i:02d}' for i in (0, 2, 4, 6, 1, 3, 5, 7)]


def test_same_seed_same_lists_from_every_source(tool, data):
    names = [f'site{i % 2}/{i:02d}' for i in range(8)]
    (data / 'names.txt').write_text('\n'.join(reversed(names)))
    plain = write_config(data, part(data, pipeline=[]))
    tool.main([*folder_args(data, 'a'), '--counts', '3', '--seed', '7'])
    tool.main(['--list', f'{data}/names.txt', '--out', f'{data}/b', '--counts', '3', '--seed', '7'])
    tool.main([plain, '--out', f'{data}/c', '--counts', '3', '--seed', '7'])
    expected = lines(data, 'a/3/labelled.txt')
    assert lines(data, 'b/3/labelled.txt') == lines(data, 'c/3/labelled.txt') == expected


def test_semi_config_uses_folder_then_lists(tool, data):
    ann_files = [f'{data}/lists/2/{name}.txt' for name in ('labelled', 'unlabelled')]
    labelled, unlabelled = (part(data, ann_file=path) for path in ann_files)
    semi = dict(type='SemiDataset', labelled=labelled, unlabelled=unlabelled)
    config = write_config(data, dict(type='RepeatDataset', times=2, dataset=semi))
    tool.main([config, '--out', f'{data}/lists', '--counts', '2'])
    assert len(lines(ann_files[0])) + len(lines(ann_files[1])) == 8
    # Now the lists exist, and an image that neither names is not taken.
    Path(ann_files[1]).write_text('site1/07\n')
    tool.main([config, '--out', f'{data}/again', '--counts', '1'])
    found = lines(data, 'again/1/labelled.txt') + lines(data, 'again/1/unlabelled.txt')
    assert sorted(found) == sorted([*lines(ann_files[0]), 'site1/07'])


def test_semi_config_of_two_folders_is_refused(tool, data):
    labelled, unlabelled = part(data), part(data)
    unlabelled['data_prefix'] = dict(img_path=f'{data}/other')
    semi = dict(type='SemiDataset', labelled=labelled, unlabelled=unlabelled)
    with pytest.raises(REFUSED, match='name the folder to split with --image-dir'):
        tool.main([write_config(data, semi), '--out', f'{data}/out'])


def test_semi_config_without_unlabelled_is_refused(tool, data):
    config = write_config(data, dict(type='SemiDataset', labelled=part(data), unlabelled=None))
    with pytest.raises(REFUSED, match='has no unlabelled images: name the folder'):
        tool.main([config, '--out', f'{data}/out'])


def test_class_balanced_takes_the_rare_class_first(tool, data):
    config = write_config(data, part(data))
    for seed in ('0', '1'):
        out = f'{data}/balanced{seed}'
        tool.main([config, '--out', out, '--counts', '2', '--class-balanced', '--seed', seed])
        assert 'site1/07' in lines(out, '2/labelled.txt')


def test_class_balanced_needs_masks(tool, data):
    with pytest.raises(REFUSED, match=r'but site\d/\d\d has none: give a config or --ann-dir'):
        tool.main([*folder_args(data), '--class-balanced'])
    masks = ['--ann-dir', f'{data}/ann', '--ann-suffix', '_y.png']
    (data / 'ann/site0/02_y.png').unlink()
    with pytest.raises(REFUSED, match=r'but site0/02 has none at .*02_y\.png'):
        tool.main([*folder_args(data), *masks, '--class-balanced'])


def test_hold_out_is_disjoint(tool, data):
    tool.main([*folder_args(data), '--hold-out', '3', '--counts', '1', '4'])
    for count in (1, 4):
        names = [lines(data, f'out/{count}/{kind}.txt') for kind in ('labelled', 'unlabelled')]
        assert len(names[0]) == count
        assert len({*names[0], *names[1], *lines(data, 'out/val.txt')}) == 8


def test_different_lists_are_not_overwritten(tool, data):
    args = [*folder_args(data), '--counts', '2']
    tool.main(args)
    before = lines(data, 'out/2/labelled.txt')
    tool.main(args)
    with pytest.raises(REFUSED, match=r'labelled\.txt exists and holds another list'):
        tool.main([*args, '--seed', '1'])
    assert lines(data, 'out/2/labelled.txt') == before
    tool.main([*args, '--seed', '1', '--force'])
    assert lines(data, 'out/2/labelled.txt') != before


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (['--counts', '8'], '8 labelled images cannot be taken from 8'),
        (['--fractions', '3'], '3 is not a fraction between 0 and 1'),
        (['--suffix', '.tif'], r'No image that ends in \.tif is in'),
        (['--image-dir', 'nowhere'], 'The image folder nowhere does not exist'),
        (['--list', 'nowhere.txt'], r'The list nowhere\.txt does not exist'),
    ],
)
def test_bad_input_is_one_sentence(tool, data, extra, message):
    with pytest.raises(REFUSED, match=message):
        tool.main([*folder_args(data), *extra])
    assert not (data / 'out').exists()


@pytest.mark.parametrize('source', [[], [__file__, '--list', 'a'], ['--import', 'ael', 'a']])
def test_exactly_one_known_source(tool, source):
    with pytest.raises(SystemExit) as refusal:
        tool.main([*source, '--out', 'out'])
    assert refusal.value.code == 2


CITY = 'leftImg8bit/train/aachen/aachen_00000{0}_000019_leftImg8bit.png'


def test_import_folder(tool, tmp_path):
    source = tmp_path / 'published/1_8'
    source.mkdir(parents=True)
    (source / 'labeled.txt').write_text(f'{CITY.format(1)}\n{CITY.format(0)}\n')
    (source / 'unlabeled.txt').write_text(f'{CITY.format(2)}\n')
    args = ['--import', 'u2pl', str(source.parent), '--out', f'{tmp_path}/out']
    tool.main(args)
    # The published order is kept.
    names = [f'aachen/aachen_00000{i}_000019' for i in (1, 0, 2)]
    assert lines(tmp_path, 'out/1-8/labelled.txt') == names[:2]
    assert lines(tmp_path, 'out/1-8/unlabelled.txt') == names[2:]
    (source / 'unlabeled.txt').write_text(f'{CITY.format(2)}\n{CITY.format(0)}\n')
    with pytest.raises(REFUSED, match=r'1 image\(s\) are in both .*\(aachen/aachen_000000_0'):
        tool.main(args)


def test_import_file(tool, tmp_path):
    (tmp_path / 'labeled.txt').write_text('JPEGImages/x.jpg SegmentationClass/x.png\n')
    tool.main(['--import', 'unimatch', f'{tmp_path}/labeled.txt', '--out', f'{tmp_path}/out'])
    assert lines(tmp_path, 'out/labelled.txt') == ['x']
    with pytest.raises(REFUSED, match=r'line 1: .* is not a u2pl line of 1 column'):
        tool.main(['--import', 'u2pl', f'{tmp_path}/labeled.txt', '--out', f'{tmp_path}/out'])
    with pytest.raises(REFUSED, match=r'none\.txt does not exist'):
        tool.main(['--import', 'u2pl', f'{tmp_path}/none.txt', '--out', f'{tmp_path}/out'])
