"""Rounds that ask nothing, begin at once, or go on with other options."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from tiny_runs import INITIAL, active_learning_cfg, make_runner

from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.active_learning.campaign import campaign
from mmseg_tsf.active_learning.campaign import resuming as opening
from mmseg_tsf.engine.loops import active_learning_loop
from mmseg_tsf.utils.errors import UserError

PIXELS = 12 * 40 * 48


def lines(work_dir):
    return [json.loads(x) for x in (work_dir / 'active_learning.jsonl').read_text().splitlines()]


def train(root, work_dir, method='mt', resume=False, **options):
    """A run to its end; it counts as resumed where it is told to."""
    cfg = active_learning_cfg(method, root, work_dir, **options)
    cfg.resume = resume
    runner = make_runner(cfg)
    runner.train()
    return runner


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """What is logged of rounds."""
    texts = []
    for module in (campaign, opening, active_learning_loop):
        monkeypatch.setattr(module, 'print_log', lambda text, *_: texts.append(text))
    return texts


def stop_before(monkeypatch, loop, iteration: int) -> None:
    """The run ends as if it was killed."""
    run_iter = type(loop).run_iter

    def until(self, batch):
        if self._iter == iteration:
            raise KeyboardInterrupt
        run_iter(self, batch)

    monkeypatch.setattr(type(loop), 'run_iter', until)


def test_what_a_round_can_not_spend_goes_to_the_later_ones(data_root, tmp_path, said):
    options = dict(rounds=3, selector=dict(type='ImageSelector'))
    budget = dict(total=INITIAL + 2 * 40 * 48)  # two thirds of an image a round
    train(data_root, tmp_path, max_iters=8, budget=budget, **options)
    store = RoundStore(tmp_path / 'rounds')
    assert [len(store.request(n).images) for n in range(3)] == [0, 1, 1]
    assert [len(store.answer(n).images) for n in range(3)] == [0, 1, 1]
    assert store.answer(0).info['who'] == 'nobody' and verify(store) == []
    assert [line['state'] for line in lines(tmp_path)] == [
        'exhausted',
        'answered',
        'answered',
        'finished',
    ]
    assert lines(tmp_path)[-1]['spent']['pixels'] == budget['total']
    assert 'what is left goes to the later rounds' in said[0]


def test_a_round_that_asks_less_than_it_may_says_so(data_root, tmp_path, said):
    options = dict(rounds=2, selector=dict(type='PixelSelector', max_per_image=2))
    train(data_root, tmp_path, max_iters=6, budget=dict(total=INITIAL + 100), **options)
    asked = [text for text in said if 'asks' in text]
    assert 'round 0 asks 14 of 50 pixels: PixelSelector found no more' in asked[0]
    assert asked[0].endswith('what is left goes to the later rounds')
    assert 'round 1 asks 14 of 86 pixels' in asked[1]
    assert asked[1].endswith('what is left stays unspent')


def test_a_budget_that_is_raised_on_resume_is_spent(data_root, tmp_path, monkeypatch):
    budget = dict(total=INITIAL + 9, per_round=9)
    options = dict(rounds=3, max_iters=8)
    cfg = active_learning_cfg('mt', data_root, tmp_path, budget=budget, **options)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=1)
    runner = make_runner(cfg)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_before(patch, runner.train_loop, 5)
        runner.train()
    assert [line['state'] for line in lines(tmp_path)] == ['answered', 'exhausted']
    more = dict(total=INITIAL + 49, per_round=40)
    train(data_root, tmp_path, resume=True, budget=more, **options)
    store = RoundStore(tmp_path / 'rounds')
    asked = [sum(own['pixels'] for own in store.request(n).images.values()) for n in range(3)]
    assert asked == [9, 0, 40]


def test_rounds_that_the_checkpoint_is_behind_must_be_there(data_root, tmp_path):
    train(data_root, tmp_path)
    with pytest.raises(UserError, match='rounds=1, but 2 are asked already: raise it'):
        train(data_root, tmp_path, resume=True, rounds=1)
    with pytest.raises(UserError, match=r'iteration 6 follows 5 rounds, but .* has 2 answers'):
        train(data_root, tmp_path, resume=True, rounds=5, max_iters=12, stages=[1, 1, 1, 1, 1, 7])
    shutil.rmtree(tmp_path / 'rounds/round_001/answer')
    RoundStore(tmp_path / 'rounds').label_folder(0)
    (problem,) = verify(RoundStore(tmp_path / 'rounds'))
    assert (
        'round_001/answer is missing: ' in problem and 'active_learning.jsonl records it' in problem
    )
    with pytest.raises(UserError, match='round_001/answer is missing: .* records it; restore the'):
        train(data_root, tmp_path, resume=True)


@pytest.mark.parametrize('method', ['mt', 'tsf'])
def test_a_round_before_the_first_iteration_is_resumed(method, data_root, tmp_path, monkeypatch):
    options = dict(stages=[0, 3, 3])
    first = train(data_root, tmp_path / 'whole', method, **options)
    cfg = active_learning_cfg(method, data_root, tmp_path / 'killed', **options)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        runner = make_runner(cfg)
        stop_before(patch, runner.train_loop, 0)
        runner.train()
    second = train(data_root, tmp_path / 'killed', method, resume=True, **options)
    state = second.model.state_dict()
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_a_finished_run_that_is_resumed_keeps_its_last_scores(data_root, tmp_path):
    train(data_root, tmp_path)
    before = lines(tmp_path)
    train(data_root, tmp_path, resume=True)
    after = lines(tmp_path)
    assert before[-1]['metrics'] == after[-1]['metrics'] != {}
    assert before[:-1] == after[:-1]


def test_seconds_of_a_round_that_waits_are_kept(data_root, tmp_path):
    options = dict(rounds=1, oracle=dict(type='FolderOracle'))
    train(data_root, tmp_path, **options)
    (before,) = lines(tmp_path)
    assert {'train', 'validate', 'score', 'select', 'oracle'} == before['seconds'].keys()
    for image_id in RoundStore(tmp_path / 'rounds').request(0).images:
        target = tmp_path / f'annotation/round_000/answers/{image_id}.png'
        shutil.copy(data_root / f'ann/{image_id}.png', target)
    train(data_root, tmp_path, resume=True, **options)
    after = lines(tmp_path)[0]
    assert (before['state'], after['state']) == ('pending', 'answered')
    for name in ('train', 'score', 'select'):
        assert after['seconds'][name] == before['seconds'][name]


def test_changed_options_are_named(data_root, tmp_path, said):
    options = dict(query=dict(type='ConfidenceQuery', threshold=0.9))
    train(data_root, tmp_path, selector=dict(type='PixelSelector', block=4), **options)
    train(
        data_root,
        tmp_path,
        resume=True,
        query=dict(type='ConfidenceQuery', threshold=0.5),
        selector=dict(type='PixelSelector'),
        oracle=dict(type='NoisyOracle', confusion=0.5),
    )
    for change in (
        'query.threshold was 0.9, is 0.5 from now on',
        'selector.block was 4, is null from now on',
        'oracle was "GroundTruthOracle", is "NoisyOracle" from now on',
        'oracle.confusion was null, is 0.5 from now on',
    ):
        assert f'Active learning: {change}' in said


def test_rounds_that_cut_an_optimiser_step_are_refused(data_root, tmp_path):
    cfg = active_learning_cfg('mt', data_root, tmp_path, stages=[3, 2, 1])
    cfg.optim_wrapper.accumulative_counts = 2
    with pytest.raises(UserError, match=r'iterations \[3, 5\] would cut .* steps of 2 batches'):
        make_runner(cfg).train()


def test_less_than_one_unit_is_refused(data_root, tmp_path):
    budget = dict(total=0.9, per_round=0.4 / PIXELS)
    with pytest.raises(UserError, match='budget.per_round=.* is less than one of pixels'):
        train(data_root, tmp_path, budget=budget)


@pytest.mark.parametrize('part', ['round_001', 'round_001/answer', ''])
def test_a_lost_round_is_not_asked_again(part, data_root, tmp_path, monkeypatch):
    """The checkpoint is that of the boundary, from which a simulation would ask anew."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        runner = make_runner(active_learning_cfg('mt', data_root, tmp_path))
        stop_before(patch, runner.train_loop, 4)
        runner.train()
    assert (tmp_path / 'last_checkpoint').read_text().endswith('iter_4.pth')
    shutil.rmtree(tmp_path / 'rounds' / part)
    before = lines(tmp_path)
    sentence = 'round_001/answer is missing: .* records it; restore the round from a copy, then'
    if not part:
        sentence = 'iteration 4 follows 1 rounds, but .*rounds is missing: restore it'
    with pytest.raises(UserError, match=sentence):
        train(data_root, tmp_path, resume=True)
    assert lines(tmp_path) == before
    assert not (tmp_path / 'rounds/round_001/answer').exists()


def test_a_run_that_begins_anew_does_not_miss_the_rounds_of_the_former_one(data_root, tmp_path):
    train(data_root, tmp_path)
    shutil.rmtree(tmp_path / 'rounds')
    train(data_root, tmp_path)
    assert len(RoundStore(tmp_path / 'rounds').answered()) == 2
