"""Simulated annotators: right where they should be, and wrong as often as they should be."""

import numpy as np
import pytest
from mmseg.datasets import BaseSegDataset
from PIL import Image
from tiny_runs import CLASSES, PALETTE, part_cfg

from mmseg_tsf.active_learning import ORACLES, RoundStore
from mmseg_tsf.active_learning.oracles.simulated import find_segments
from mmseg_tsf.utils.errors import UserError


class FourClasses(BaseSegDataset):
    """MMSeg maps classes only where the data set's own class names them all."""

    METAINFO = dict(classes=CLASSES, palette=PALETTE)


NEVER = None  # nothing is predicted for a simulated annotator


def bound(root, kind='GroundTruthOracle', dataset=None, **options):
    oracle = ORACLES.build(dict(type=kind, **options))
    dataset = dataset or part_cfg(root, 'unlabelled.txt')
    oracle.bind(dataset, root, len(dataset['metainfo']['classes']))
    return oracle


def request(root, masks, rounds=1):
    """Request of the last of some rounds, all of them for the same pixels."""
    store = RoundStore(root / 'rounds')
    for number in range(rounds):
        found = store.write_request(number, ((i, mask, {}) for i, mask in masks.items()), {})
        store.write_answer(number, [], {})
    return found


def random_mask(seed=0, share=0.3, size=(40, 48)):
    return np.random.default_rng(seed).random(size) < share


def truth_of(root, image_id):
    return np.asarray(Image.open(root / 'ann' / f'{image_id}.png'))


def test_ground_truth_inside_of_the_request_alone(data_root, tmp_path):
    masks = {'frame_6': random_mask(0), 'frame_9': random_mask(1)}
    oracle = bound(data_root)
    answers = list(oracle.answer(request(tmp_path, masks), NEVER))
    assert [image_id for image_id, _, _ in answers] == list(masks)
    for image_id, labels, notes in answers:
        expected = np.where(masks[image_id], truth_of(data_root, image_id), 255)
        assert labels.dtype == np.uint8 and np.array_equal(labels, expected)
        assert notes == {}


def test_masks_are_read_as_mmseg_reads_them(own_data_root, tmp_path):
    """Zero is no class, and the classes are two of four in another order."""
    (own_data_root / 'ann/frame_6.png').rename(own_data_root / 'ann/frame_6_gt.png')
    (own_data_root / 'unlabelled.txt').write_text('frame_6\n')
    cfg = part_cfg(own_data_root, 'unlabelled.txt', pipeline=[])
    mask = np.ones((40, 48), bool)
    for part in (dict(reduce_zero_label=True), dict(metainfo=dict(classes=('car', 'sky')))):
        dataset = {**cfg, **dict(type=FourClasses, seg_map_suffix='_gt.png'), **part}
        oracle = bound(own_data_root, dataset=dataset)
        folder = tmp_path / '-'.join(part)
        ((_, labels, _),) = oracle.answer(request(folder, dict(frame_6=mask)), NEVER)
        truth = truth_of(own_data_root, 'frame_6_gt')
        if 'reduce_zero_label' in part:
            expected = np.where(truth == 0, 255, truth.astype(int) - 1)
        else:
            expected = np.select([truth == 2, truth == 1], [0, 1], 255)
        assert np.array_equal(labels, expected)


def test_void_stays_void(own_data_root, tmp_path):
    truth = truth_of(own_data_root, 'frame_7').copy()
    truth[:10] = 255
    Image.fromarray(truth).save(own_data_root / 'ann/frame_7.png')
    mask = np.ones((40, 48), bool)
    for kind, options in (('GroundTruthOracle', {}), ('NoisyOracle', dict(confusion=1.0))):
        oracle = bound(own_data_root, kind, **options)
        found = request(tmp_path / kind, dict(frame_7=mask))
        ((_, labels, _),) = oracle.answer(found, NEVER)
        assert (labels[:10] == 255).all() and (labels[10:] < 4).all()


def test_what_the_annotator_can_not_read_is_named(own_data_root, tmp_path):
    path = own_data_root / 'ann/frame_8.png'
    part = request(tmp_path, dict(frame_8=np.ones((40, 48), bool)))
    Image.fromarray(np.full((40, 48), 7, np.uint8)).save(path)
    with pytest.raises(UserError, match=r'frame_8.png has the class ids \[7\], but there are 4'):
        list(bound(own_data_root).answer(part, NEVER))
    Image.fromarray(np.zeros((20, 48), np.uint8)).save(path)
    with pytest.raises(UserError, match='frame_8.png is 48x20 pixels, its image 48x40'):
        list(bound(own_data_root).answer(part, NEVER))
    path.unlink()
    with pytest.raises(UserError, match=r'mask .*frame_8.png does not exist'):
        bound(own_data_root)
    cfg = part_cfg(own_data_root, 'unlabelled.txt')
    del cfg['data_prefix']['seg_map_path']
    with pytest.raises(UserError, match='set data_prefix.seg_map_path'):
        bound(own_data_root, dataset=cfg)


def test_a_data_set_of_its_own(data_root, tmp_path):
    """The pool has no masks; another data set has them."""
    pool = part_cfg(data_root, 'unlabelled.txt')
    del pool['data_prefix']['seg_map_path']
    oracle = ORACLES.build(
        dict(type='GroundTruthOracle', dataset=part_cfg(data_root, 'unlabelled.txt'))
    )
    oracle.bind(pool, data_root, 4)
    mask = random_mask()
    ((_, labels, _),) = oracle.answer(request(tmp_path, dict(frame_5=mask)), NEVER)
    assert np.array_equal(labels, np.where(mask, truth_of(data_root, 'frame_5'), 255))
    stranger = request(tmp_path / 'b', dict(frame_0=mask))
    with pytest.raises(UserError, match='frame_0 was requested, but'):
        list(oracle.answer(stranger, NEVER))


@pytest.mark.parametrize('share', [0.02, 0.2])
def test_confusion_is_met_and_always_another_class_of_the_image(data_root, tmp_path, share):
    masks = {f'frame_{i}': random_mask(i, share) for i in range(5, 12)}
    oracle = bound(data_root, 'NoisyOracle', confusion=0.25)
    wrong = total = 0
    for image_id, labels, notes in oracle.answer(request(tmp_path, masks), NEVER):
        truth, mask = truth_of(data_root, image_id), masks[image_id]
        assert (labels[~mask] == 255).all()
        assert set(labels[mask].tolist()) <= set(truth.ravel().tolist())
        changed = int((labels != truth)[mask].sum())
        assert notes == dict(changed=changed)
        wrong, total = wrong + changed, total + int(mask.sum())
    deviation = (0.25 * 0.75 / total) ** 0.5
    assert abs(wrong / total - 0.25) < 4 * deviation * (1 if share < 0.1 else 2)


def test_a_segment_is_confused_as_a_whole(data_root, tmp_path):
    """A whole image is no single answer: its objects are."""
    mask = np.ones((40, 48), bool)
    truth = truth_of(data_root, 'frame_5')
    segments, classes = find_segments(truth, mask)
    oracle = bound(data_root, 'NoisyOracle', confusion=0.5)
    ((_, labels, _),) = oracle.answer(request(tmp_path, dict(frame_5=mask)), NEVER)
    wrong = 0
    for i in range(1, len(classes)):
        (value,) = np.unique(labels[segments == i])
        wrong += value != classes[i]
    assert 0 < wrong < len(classes) - 1


def test_one_class_is_confused_with_any_other(own_data_root, tmp_path):
    Image.fromarray(np.full((40, 48), 2, np.uint8)).save(own_data_root / 'ann/frame_5.png')
    mask = np.zeros((40, 48), bool)
    mask[::2, ::2] = True
    oracle = bound(own_data_root, 'NoisyOracle', confusion=1.0)
    ((_, labels, _),) = oracle.answer(request(tmp_path, dict(frame_5=mask)), NEVER)
    assert set(labels[mask].tolist()) == {0, 1, 3}


def test_jitter_is_near_boundaries_and_speaks_of_neighbours(own_data_root, tmp_path):
    truth = np.zeros((40, 48), np.uint8)
    truth[:, 20:] = 1
    Image.fromarray(truth).save(own_data_root / 'ann/frame_5.png')
    mask = np.zeros((40, 48), bool)
    mask[::2, ::2] = mask[1::2, 1::2] = True  # single pixels, each with a shift of its own
    oracle = bound(own_data_root, 'NoisyOracle', boundary=3)
    ((_, labels, notes),) = oracle.answer(request(tmp_path, dict(frame_5=mask)), NEVER)
    wrong = (labels != truth) & mask
    assert not wrong[:, :17].any() and not wrong[:, 23:].any()
    # the shift is one of -3 .. 3: a pixel d columns from the other class errs in 4 - d of 7 cases
    for distance in (1, 2, 3):
        columns = [20 - distance, 19 + distance]
        rate = wrong[:, columns].sum() / mask[:, columns].sum()
        assert abs(rate - (4 - distance) / 7) < 0.3
    assert notes['changed'] == wrong.sum() > 0


def test_a_whole_object_is_drawn_amiss_by_one_shift(own_data_root, tmp_path):
    truth = np.zeros((40, 48), np.uint8)
    truth[10:30, 10:30] = 1
    Image.fromarray(truth).save(own_data_root / 'ann/frame_5.png')
    oracle = bound(own_data_root, 'NoisyOracle', boundary=2)
    mask = truth == 1
    ((_, labels, _),) = oracle.answer(request(tmp_path, dict(frame_5=mask)), NEVER)
    down, right = np.meshgrid(range(-2, 3), range(-2, 3), indexing='ij')
    shifted = [
        np.array_equal(np.roll(truth, (-dy, -dx), (0, 1))[mask], labels[mask])
        for dy, dx in zip(down.flat, right.flat, strict=True)
    ]
    assert sum(shifted) == 1


def test_mistakes_depend_on_seed_round_and_image_alone(data_root, tmp_path):
    masks = {f'frame_{i}': random_mask(i) for i in range(5, 8)}
    first, alone = request(tmp_path, masks), request(tmp_path / 'b', dict(frame_6=masks['frame_6']))
    second = request(tmp_path / 'c', masks, rounds=2)

    def labels(asked, seed=0):
        oracle = bound(data_root, 'NoisyOracle', confusion=0.3, boundary=2, seed=seed)
        return {i: found for i, found, _ in oracle.answer(asked, NEVER)}['frame_6']

    expected = labels(first)
    assert np.array_equal(expected, labels(alone))
    assert not np.array_equal(expected, labels(second))
    assert not np.array_equal(expected, labels(first, seed=1))


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(boundary=-1), 'boundary=-1'),
        (dict(boundary=0.5), 'boundary=0.5'),
        (dict(confusion=1.5), 'confusion=1.5'),
    ],
)
def test_wrong_options_are_named(options, text):
    with pytest.raises(UserError, match=text):
        ORACLES.build(dict(type='NoisyOracle', **options))


def test_segments():
    truth = np.array([[0, 0, 1, 0], [255, 0, 1, 0]])
    asked = np.array([[1, 1, 1, 1], [1, 1, 0, 1]], bool)
    segments, classes = find_segments(truth, asked)
    assert segments.tolist() == [[1, 1, 3, 2], [4, 1, 0, 2]]
    assert classes.tolist() == [255, 0, 0, 1, 255]


def test_truth_that_fits_both_readings_of_a_photograph_is_refused_at_once(own_data_root):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new('RGB', (48, 40)).save(own_data_root / 'img/frame_6.png', exif=exif)
    with pytest.raises(UserError, match='frame_6.png has the EXIF orientation 3, and its mask'):
        bound(own_data_root)
