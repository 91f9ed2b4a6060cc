"""Two gloo ranks against one process with the doubled batch."""

import numpy as np
import pytest
import torch
from distributed_jobs import SMOOTH, bank_options, refined_options, steps, warm_up_options, work
from helpers import REFINED, build_model
from PIL import Image

from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.models.mixing.adaptive_cutmix import draw_partners


@pytest.fixture(scope='module')
def ranks(data_root, tmp_path_factory) -> list[dict]:
    """Results of both ranks."""
    out = tmp_path_factory.mktemp('ranks')
    torch.multiprocessing.spawn(work, (str(data_root), str(out)), nprocs=2)
    return [torch.load(out / f'rank{rank}.pt', weights_only=False) for rank in range(2)]


@pytest.mark.parametrize('method', SMOOTH)
def test_two_ranks_equal_one_with_the_doubled_batch(ranks, method):
    expected = steps(method, 0, 1, **SMOOTH[method])
    for rank in ranks:
        for name, value in rank[method].items():
            if name.startswith('queues.'):
                continue  # of pixels that every rank draws for itself, see below
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-5, msg=name)


def test_teachers_that_stop_learning_stay_together(ranks):
    expected = steps('psmt', 0, 1, **warm_up_options())
    for rank in ranks:
        for name, value in rank['warm_up'].items():
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-5, msg=name)
    first = build_model('psmt', pool=20, **SMOOTH['psmt']).state_dict()
    key = 'teacher_2.decode_head.conv_seg.weight'
    assert not torch.equal(first[key], expected[key])  # it learnt in the warm-up


def test_masks_are_checked_together(ranks, data_root):
    """Each rank knows the counts of all masks, and of a fault that another has found."""
    masks = [np.asarray(Image.open(data_root / f'ann/frame_{i}.png')) for i in range(5)]
    for rank in ranks:
        counts = rank['checks']['counts']
        assert counts.masks == 5
        for value in range(4):
            assert counts.pixels[value] == sum((mask == value).sum() for mask in masks)
        assert 'spoiled_1/ann/frame_1.png has the class ids [4]' in rank['checks']['error']


def test_one_rank_alone_would_end_elsewhere(ranks):
    """Else equality would tell nothing about the other rank's half."""
    alone = steps('mt', 0, 1, half=True)
    key = 'student.decode_head.conv_seg.weight'
    assert (alone[key] - ranks[0]['mt'][key]).abs().max() > 1e-3


def test_banks_are_those_of_all_ranks_together(ranks):
    first, second = (rank['banks'] for rank in ranks)
    for name in ('confidence_bank.confidence', 'class_bank.presence'):
        assert torch.equal(first[name], second[name])
    expected = steps('tsf', 0, 1, **bank_options())
    assert torch.equal(first['class_bank.presence'], expected['class_bank.presence'])
    name = 'confidence_bank.confidence'
    torch.testing.assert_close(first[name], expected[name], rtol=1e-5, atol=1e-6)
    # images 0-3 were unlabelled and 10-13 partners, two of each on either rank
    shown = expected['class_bank.presence'].any(dim=0)
    assert shown[[0, 1, 2, 3, 10, 11, 12, 13]].all()
    assert shown.sum() == 8


def test_queues_of_negatives_are_filled_by_all_ranks_alike(ranks):
    first, second = (rank['queues'] for rank in ranks)
    for name in ('examples', 'head', 'length'):
        assert torch.equal(first[f'queues.{name}'], second[f'queues.{name}'])
    alone = steps('u2pl', 0, 1, keys=20, cutmix=None)  # both halves, but one rank's 20 pixels
    most = int(alone['queues.length'].max())
    assert 20 <= most <= 40 and 40 < int(first['queues.length'].max()) <= 80


def test_the_heads_of_the_refinement_learn_from_all_ranks_together(ranks):
    first, second = (rank['refined'] for rank in ranks)
    expected = steps('mt', 0, 1, **refined_options())
    heads = [key for key in expected if key.startswith('refinement.') and 'running' not in key]
    assert any('weight_module' in key for key in heads)
    for key in heads:
        assert torch.equal(first[key], second[key]), key
    student = [key for key in expected if key.startswith('student.')]
    for key in student:
        torch.testing.assert_close(first[key], expected[key], rtol=1e-5, atol=1e-5, msg=key)


def test_ranks_stay_together_where_one_has_nothing_to_learn_errors_from(ranks):
    first, second = (rank['uneven'] for rank in ranks)
    begun = build_model('tsf', pool=20, **REFINED).state_dict()
    for part in ('student', 'friend', 'refinement'):
        keys = [k for k in first if k.startswith(part) and k.endswith(('.weight', '.bias'))]
        assert any(not torch.equal(first[key], begun[key]) for key in keys), part
        for key in keys:
            assert first[key].isfinite().all()
            assert torch.equal(first[key], second[key]), key


def test_a_run_of_two_ranks_stays_together(ranks):
    first, second = (rank['run'] for rank in ranks)
    own = [key for key in first['state'] if 'running_' in key and 'teacher' not in key]
    for key, value in first['state'].items():
        if '.bn.' in key and ('running_' in key):
            continue  # every rank has its own batch statistics, as in plain DDP
        assert torch.equal(value, second['state'][key]), key
    assert any(not torch.equal(first['state'][k], second['state'][k]) for k in own)


def test_partners_of_all_ranks_are_one_draw(ranks):
    start = np.full(4, 0.5, np.float32), np.zeros((4, 7), bool)
    for step in (0, 1):  # both were drawn from the banks as they start
        together = ranks[0]['run']['partners'][step] + ranks[1]['run']['partners'][step]
        assert together == draw_partners(*start, 4, np.random.default_rng((3, step)))


def test_rounds_of_two_ranks_are_asked_once_and_trained_on_by_both(ranks, tmp_path_factory):
    first, second = (rank['rounds'] for rank in ranks)
    assert first['iter'] == second['iter'] == 6
    assert first['labels'] and first['labels'] == second['labels']
    (folder,) = tmp_path_factory.getbasetemp().glob('ranks[0-9]/rounds')
    store = RoundStore(folder / 'rounds')
    assert store.answered() == [0, 1] and verify(store) == []
    asked = sum(notes['pixels'] for n in (0, 1) for notes in store.request(n).images.values())
    assert asked == 301
