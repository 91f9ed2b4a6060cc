"""The lists of labelled and unlabelled images: arithmetic, refusals, and those in ``configs``."""

import random
from pathlib import Path

import numpy as np
import pytest
from mmengine.fileio import list_from_file

from mmseg_tsf.datasets import splits
from mmseg_tsf.utils.errors import UserError

LISTS = Path(__file__).parents[2] / 'configs/_base_/splits'
NAMES = [f'city/image_{index:03d}' for index in range(10)]


def test_seeded_order_is_the_same_forever():
    # What random.Random(0).shuffle gives; another value would change everybody's split lists.
    order = [name[-1] for name in splits.seeded_order(NAMES, seed=0)]
    assert ''.join(order) == '7815342096'


def test_seeded_order_depends_on_names_and_seed_only():
    mixed = NAMES.copy()
    random.Random(5).shuffle(mixed)
    assert splits.seeded_order(mixed, 3) == splits.seeded_order(NAMES, 3)
    assert splits.seeded_order(NAMES, 3) != splits.seeded_order(NAMES, 4)
    assert sorted(splits.seeded_order(NAMES, 3)) == NAMES


@pytest.mark.parametrize(
    ('fraction', 'total', 'count'),
    [
        ('1/16', 367, 23),
        ('1/8', 367, 46),
        ('1/4', 367, 92),
        ('1/2', 367, 184),
        ('1/16', 2975, 186),
        ('1/8', 2975, 372),
        ('1/4', 2975, 744),
        ('1/2', 2975, 1488),
        ('0.125', 367, 46),
        ('1/100', 10, 1),
    ],
)
def test_count_of_fraction(fraction, total, count):
    assert splits.count_of(fraction, total) == count


@pytest.mark.parametrize('fraction', ['0', '1', '-1/8', '9/8', '1/0', 'half'])
def test_count_of_refuses_other_texts(fraction):
    with pytest.raises(UserError, match=f'{fraction} is not a fraction between 0 and 1'):
        splits.count_of(fraction, 10)


def test_nested_splits_partition_and_nest():
    order = splits.seeded_order(NAMES, 0)
    parts = splits.nested_splits(order, [2, 5, 9])
    for count, (labelled, unlabelled) in parts.items():
        assert len(labelled) == count
        assert labelled == sorted(order[:count])
        assert sorted(labelled + unlabelled) == NAMES
    assert set(parts[2][0]) < set(parts[5][0]) < set(parts[9][0])


@pytest.mark.parametrize('count', [0, 10, 11])
def test_nested_splits_refuse_an_empty_side(count):
    with pytest.raises(UserError, match=f'{count} labelled images cannot be taken from 10'):
        splits.nested_splits(NAMES, [count])


def test_class_balanced_order_follows_its_formula():
    # Class 0 is everywhere, class 1 in image c only, class 2 in d only, class 3 nowhere.
    pixels = np.array([[50, 0, 0, 0], [50, 0, 0, 0], [50, 4, 0, 0], [50, 0, 1, 0]])
    # First stays; c and d then gain 1 each for their class and tie, so the earlier one goes first.
    assert splits.class_balanced_order(list('abcd'), pixels) == list('acdb')


def test_class_balanced_order_agrees_with_a_plain_loop():
    pixels = np.random.default_rng(0).integers(0, 100, (12, 5)) * (np.arange(5) < 4)
    names = [f'{index}' for index in range(12)]
    shares = pixels[:, :4] / pixels[:, :4].sum(0)
    picked, left = [0], list(range(1, 12))
    while left:
        gains = [np.sqrt(shares[[*picked, row]].sum(0)).sum() for row in left]
        picked.append(left.pop(int(np.argmax(gains))))
    assert splits.class_balanced_order(names, pixels) == [names[row] for row in picked]


def test_read_list(tmp_path):
    path = tmp_path / 'labelled.txt'
    path.write_bytes(b'b\r\na/c\r\n')
    assert splits.read_list(path) == ['b', 'a/c']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', r'labelled\.txt is empty: it needs one image name per line'),
        ('\n\n', r'labelled\.txt is empty'),
        ('a\n\nb\n', r'labelled\.txt has an empty line \(2\): remove it'),
        ('b\na\nb\na\n', r'labelled\.txt: 2 image\(s\) occur more than once \(a, b\)'),
    ],
)
def test_read_list_refuses(tmp_path, text, message):
    path = tmp_path / 'labelled.txt'
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        splits.read_list(path)


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ('für\n'.encode('latin-1'), 'is no UTF-8 text'),
        ('a\nb\n'.encode('utf-16'), 'is no UTF-8 text'),
        ('a\nb\n'.encode('utf-16-le'), 'is no UTF-8 text'),
        ('a\nb\n'.encode('utf-8-sig'), 'begins with a byte order mark'),
    ],
)
def test_lists_that_mmseg_would_read_as_other_names(tmp_path, content, said):
    path = tmp_path / 'labelled.txt'
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf'labelled\.txt {said}'):
        splits.read_list(path)


def test_names_are_cut_where_mmseg_cuts_them(tmp_path):
    path = tmp_path / 'labelled.txt'
    path.write_text('für\u2028dich\x0bda\nb', encoding='utf-8')
    lines = [line.strip() for line in list_from_file(str(path))]
    assert splits.read_list(path) == lines == ['für\u2028dich\x0bda', 'b']


def test_read_list_names_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r'none\.txt does not exist: write it with tools'):
        splits.read_list(tmp_path / 'none.txt')


def test_check_disjoint():
    splits.check_disjoint(['a', 'b'], ['c'])
    message = r'4 image\(s\) are in both x\.txt and y\.txt \(a, b, c, \.\.\.\)'
    with pytest.raises(UserError, match=message):
        splits.check_disjoint('dcba', 'abcde', 'x.txt', 'y.txt')


IMAGE = 'leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png'
LABEL = 'gtFine/train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png'


@pytest.mark.parametrize(
    ('style', 'line', 'name'),
    [
        ('u2pl', IMAGE, 'aachen/aachen_000000_000019'),
        ('u2pl', '2007_000733', '2007_000733'),
        ('unimatch', f'{IMAGE} {LABEL}\n', 'aachen/aachen_000000_000019'),
        ('unimatch', 'JPEGImages/2007_000733.jpg SegmentationClass/2007_000733.png', '2007_000733'),
        ('unimatch', 'images/site.1/a.b.JPG masks/site.1/a.b.png', 'site.1/a.b'),
    ],
)
def test_parse_line(style, line, name):
    assert splits.parse_line(line, style) == name


def test_parse_lines_names_file_and_line(tmp_path):
    path = tmp_path / 'labeled.txt'
    path.write_text('JPEGImages/a.jpg SegmentationClass/a.png\nJPEGImages/b.jpg\n')
    with pytest.raises(UserError, match=r'labeled\.txt, line 2: "JPEGImages/b\.jpg" is not a uni'):
        splits.parse_lines(path, 'unimatch')
    path.write_text('x/a.jpg\ny/a.jpg\n')
    with pytest.raises(UserError, match=r'labeled\.txt: 1 image\(s\) occur more than once \(a\)'):
        splits.parse_lines(path, 'u2pl')


def test_write_lists_all_or_none(tmp_path):
    first, second = tmp_path / 'a/labelled.txt', tmp_path / 'a/unlabelled.txt'
    splits.write_lists({second: ['y', 'z']})
    assert second.read_bytes() == b'y\nz\n'
    with pytest.raises(UserError, match=r'unlabelled\.txt exists and holds another list'):
        splits.write_lists({first: ['x'], second: ['z']})
    assert not first.exists()
    splits.write_lists({first: ['x'], second: ['y', 'z']})
    splits.write_lists({second: ['z']}, force=True)
    assert second.read_text() == 'z\n'


def read_pair(folder):
    pair = [splits.read_list(LISTS / folder / f'{name}.txt') for name in ('labelled', 'unlabelled')]
    splits.check_disjoint(*pair)
    return set(pair[0]), set(pair[1])


def test_committed_camvid_lists():
    smaller, everything = set(), None
    for folder, count in {'1-16': 23, '1-8': 46, '1-4': 92, '1-2': 184}.items():
        labelled, unlabelled = read_pair(f'camvid/{folder}')
        assert (len(labelled), len(unlabelled)) == (count, 367 - count)
        assert smaller < labelled
        assert everything in (None, labelled | unlabelled)
        smaller, everything = labelled, labelled | unlabelled
    order = splits.seeded_order(everything, seed=0)
    assert set(order[:184]) == smaller


@pytest.mark.parametrize('source', ['u2pl', 'unimatch'])
def test_committed_cityscapes_lists(source):
    train = set.union(*read_pair('cityscapes/unimatch/1-30'))
    assert len(train) == 2975
    for folder, count in {'1-16': 186, '1-8': 372, '1-4': 744, '1-2': 1488}.items():
        labelled, unlabelled = read_pair(f'cityscapes/{source}/{folder}')
        assert len(labelled) == count
        assert labelled | unlabelled == train


def test_committed_held_out_lists_follow_their_rule():
    train = set.union(*read_pair('cityscapes/unimatch/1-30'))
    order = splits.seeded_order(train, seed=100)
    labelled, unlabelled = read_pair('cityscapes/held-out-300/300')
    assert splits.read_list(LISTS / 'cityscapes/held-out-300/val.txt') == sorted(order[:300])
    assert labelled == set(order[300:600]) and unlabelled == set(order[600:])
