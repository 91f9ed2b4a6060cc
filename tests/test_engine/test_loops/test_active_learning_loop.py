"""Rounds between the stages of a training: labels arrive, a killed run ends as it would have."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers import REFINED, model_cfg
from tiny_runs import INITIAL, active_learning_cfg, make_runner
from tool_loader import load_tool

from mmseg_tsf.active_learning import RoundStore, StoreError, verify
from mmseg_tsf.utils.errors import UserError


def lines(work_dir):
    return [json.loads(x) for x in (work_dir / 'active_learning.jsonl').read_text().splitlines()]


def state_of(runner):
    return {k: v.clone() for k, v in runner.model.state_dict().items()}


def assert_same_runs(first, second, work_dirs):
    one, two = state_of(first), state_of(second)
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert torch.equal(value, two[key]), key
    stores = [RoundStore(work_dir / 'rounds') for work_dir in work_dirs]
    assert stores[0].answered() == stores[1].answered() == [0, 1]
    for number in (0, 1):
        for part in ('request', 'answer'):
            files = [getattr(store, part)(number).info['files'] for store in stores]
            assert files[0] == files[1]


@pytest.mark.parametrize('method', ['supervised', 'mt', 'tsf'])
def test_rounds_are_held_and_their_labels_are_trained_on(method, data_root, tmp_path):
    runner = make_runner(active_learning_cfg(method, data_root, tmp_path))
    runner.train()
    store = RoundStore(tmp_path / 'rounds')
    assert store.answered() == [0, 1] and verify(store) == []
    log = lines(tmp_path)
    assert [(line['round'], line['iter'], line['state']) for line in log] == [
        (0, 2, 'answered'),
        (1, 4, 'answered'),
        (2, 6, 'finished'),
    ]
    assert [line['spent']['pixels'] - INITIAL for line in log] == [0, 151, 301]
    assert log[2]['share'] == (INITIAL + 301) / (12 * 40 * 48)
    name = runner.model.network_names[0]
    assert all(0 <= line['metrics'][f'{name}/mIoU'] <= 100 for line in log)
    dataset = runner.train_loop.dataloader.dataset
    manual = (dataset.unlabelled[i]['gt_seg_map'] for i in range(len(dataset.unlabelled)))
    assert sum(int((labels != 255).sum()) for labels in manual) > 0


def test_manual_labels_are_the_truth_inside_the_request_and_nothing_outside(data_root, tmp_path):
    from PIL import Image

    make_runner(active_learning_cfg('supervised', data_root, tmp_path)).train()
    store = RoundStore(tmp_path / 'rounds')
    image_id = next(iter(store.request(1).images))
    truth = np.array(Image.open(data_root / 'ann' / f'{image_id}.png'))
    asked, labels = store.asked(image_id), store.manual(image_id)
    assert np.array_equal(labels[asked], truth[asked]) and (labels[~asked] == 255).all()


@pytest.mark.parametrize('start', ['continue', 'fresh'])
@pytest.mark.parametrize('stop_at', [2, 3, 4])
def test_killed_and_resumed_equals_uninterrupted(start, stop_at, data_root, tmp_path, monkeypatch):
    model = model_cfg('tsf', **REFINED)
    options = dict(model=model, start=start, query=dict(type='PLARQuery'))
    options['first_query'] = dict(type='SeedQuery', threshold=0.99)
    checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=1)
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    first = make_runner(active_learning_cfg('tsf', data_root, whole, **options))
    first.train()
    cfg = active_learning_cfg('tsf', data_root, killed, **options)
    cfg.default_hooks.checkpoint = checkpoint
    second = make_runner(cfg)
    run_iter = type(second.train_loop).run_iter

    def until(loop, batch):
        if loop._iter == stop_at:
            raise KeyboardInterrupt
        run_iter(loop, batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(type(second.train_loop), 'run_iter', until)
        second.train()
    cfg = active_learning_cfg('tsf', data_root, killed, **options)
    cfg.resume = True
    third = make_runner(cfg)
    third.train()
    assert_same_runs(first, third, (whole, killed))


def test_fresh_starts_from_the_initial_weights_and_rates(data_root, tmp_path):
    runner = make_runner(active_learning_cfg('supervised', data_root, tmp_path, start='fresh'))
    seen = []
    loop = runner.train_loop
    run_iter = loop.run_iter

    def noted(batch):
        parameter = next(runner.model.student.parameters()).detach().clone()
        rate = runner.optim_wrapper.get_lr()['lr'][0]
        seen.append((loop.stage, rate, parameter))
        run_iter(batch)

    loop.run_iter = noted
    runner.train()
    assert [stage for stage, _, _ in seen] == [(0, 2)] * 2 + [(2, 4)] * 2 + [(4, 6)] * 2
    for number in (2, 4):
        assert seen[number][1] == seen[0][1] != seen[1][1]
        assert torch.equal(seen[number][2], seen[0][2])
        assert not torch.equal(seen[number - 1][2], seen[0][2])


def test_people_are_waited_for_and_taken_up_on_resume(data_root, tmp_path):
    options = dict(rounds=1, oracle=dict(type='FolderOracle'))
    runner = make_runner(active_learning_cfg('mt', data_root, tmp_path, **options))
    runner.train()
    assert runner.iter == 3 and lines(tmp_path)[-1]['state'] == 'pending'
    store = RoundStore(tmp_path / 'rounds')
    folder = tmp_path / 'annotation' / 'round_000' / 'answers'
    for image_id in store.request(0).images:
        (folder / f'{image_id}.png').write_bytes(
            (data_root / 'ann' / f'{image_id}.png').read_bytes()
        )
    cfg = active_learning_cfg('mt', data_root, tmp_path, **options)
    cfg.resume = True
    runner = make_runner(cfg)
    runner.train()
    assert runner.iter == 6
    assert [line['state'] for line in lines(tmp_path)] == ['answered', 'finished']
    assert verify(RoundStore(tmp_path / 'rounds')) == []


def test_an_empty_budget_ends_the_rounds_and_not_the_training(data_root, tmp_path):
    budget = dict(total=INITIAL + 9, per_round=9)
    runner = make_runner(active_learning_cfg('mt', data_root, tmp_path, budget=budget))
    runner.train()
    assert runner.iter == 6 and RoundStore(tmp_path / 'rounds').answered() == [0, 1]
    assert [line['state'] for line in lines(tmp_path)] == ['answered', 'exhausted', 'finished']


def test_what_labels_were_bought_for_can_not_change(data_root, tmp_path):
    make_runner(active_learning_cfg('mt', data_root, tmp_path)).train()
    cfg = active_learning_cfg('mt', data_root, tmp_path, budget=dict(total=INITIAL + 300))
    cfg.resume = True
    with pytest.raises(UserError, match='budget.total .* are paid already'):
        make_runner(cfg).train()
    (data_root / 'fewer.txt').write_text('frame_5\nframe_6\n')
    cfg = active_learning_cfg('mt', data_root, tmp_path)
    cfg.train_dataloader.dataset.unlabelled.ann_file = str(data_root / 'fewer.txt')
    with pytest.raises(StoreError, match='pool was .*7 images.* and is .*2 images.* now'):
        make_runner(cfg).train()


def test_a_budget_that_is_changed_on_resume_is_the_one_that_is_shown(data_root, tmp_path):
    oracle = dict(type='FolderOracle', annotation_dir=str(tmp_path / 'desk'))
    options = dict(rounds=1, oracle=oracle)
    make_runner(active_learning_cfg('mt', data_root, tmp_path, **options)).train()
    store = RoundStore(tmp_path / 'rounds')
    assert store.campaign()['budget']['total'] == INITIAL + 301
    assert store.campaign()['annotation_dir'] == 'desk'
    status = load_tool('active_learning/status.py')
    found = status.main([str(tmp_path), '--json'])
    readme = tmp_path / 'desk/round_000/README.txt'
    assert readme.is_file() and f'follow {readme}, then resume' in found['waits_for']

    changed = dict(options, budget=dict(total=INITIAL + 400))
    cfg = active_learning_cfg('mt', data_root, tmp_path, **changed)
    cfg.resume = True
    make_runner(cfg).train()
    found = status.main([str(tmp_path), '--json'])
    assert (found['total'], found['left']) == (INITIAL + 400, 400)
    assert verify(RoundStore(tmp_path / 'rounds')) == []

    cfg.train_cfg.budget.total = INITIAL - 1
    with pytest.raises(UserError, match='are paid already'):
        make_runner(cfg).train()
    assert store.campaign()['budget']['total'] == INITIAL + 400  # a refused one is not kept


@pytest.mark.parametrize(
    'options, sentence',
    [
        (dict(start='anew'), "'continue' or 'fresh'"),
        (dict(rounds=0), 'rounds=0 must be a whole number from 1 to 1000'),
        (dict(rounds=2.0), 'rounds=2.0 must be a whole number'),
        (dict(rounds=6), 'max_iters=6 is too short for 7 stages'),
        (dict(rounds=3, start='fresh'), 'max_iters=6 in 4 stages .* must have the same length'),
        (dict(stages=[2, 2]), r'stages=\[2, 2\] must be 3 whole numbers'),
        (dict(stages=6), 'stages=6 must be 3 whole numbers'),
        (dict(query='EntropyQuery'), "query='EntropyQuery' must be a config"),
        (dict(budget=0.5), r'budget=0.5 must be a config: budget=dict\(total=0.1\)'),
        (dict(pool=dict(flipp=True)), 'train_cfg.pool has no option flipp: it takes batch_size'),
        (dict(pool=dict(batch_size=0)), 'batch_size=0 must be a whole number, at least 1'),
        (dict(pool=dict(scales=())), 'scales=.* must be positive'),
        (dict(stages=[1, 2, 3], start='fresh'), 'same length'),
        (dict(budget=dict(total=2.0)), 'budget.total=2.0 must be a share'),
        (dict(budget=dict(total=0.5, unit='hours')), 'budget.unit must be one of'),
        (dict(budget=dict(total=0.5, unit='regions')), 'there is no total'),
        (dict(budget=dict(total=0.5, unit='clicks')), 'of clicks there is no total'),
        (dict(query=dict(type='PLARQuery')), 'has none'),
    ],
)
def test_bad_options_are_said_before_training(options, sentence, data_root, tmp_path):
    with pytest.raises(UserError, match=sentence):
        make_runner(active_learning_cfg('mt', data_root, tmp_path, **options)).train()
    assert not (tmp_path / 'active_learning.jsonl').exists()


def test_a_part_of_a_checkpoint_is_written_anew(data_root, tmp_path):
    """A run that was killed while it saved has left a file that cannot be read."""
    (tmp_path / 'iter_2.pth').write_bytes(b'PK broken')
    make_runner(active_learning_cfg('mt', data_root, tmp_path)).train()
    checkpoint = torch.load(tmp_path / 'iter_2.pth', map_location='cpu', weights_only=False)
    assert checkpoint['meta']['iter'] == 2
    assert not list(tmp_path.glob('.iter_*'))
