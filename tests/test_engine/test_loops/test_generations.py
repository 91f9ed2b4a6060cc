"""Generations of self-training: who teaches in each, and runs that are killed between two."""

from __future__ import annotations

import json

import pytest
import torch
from helpers import REFINED, model_cfg
from mmengine.hooks import Hook
from tiny_runs import (
    INITIAL,
    active_learning_cfg,
    assert_equal,
    load_checkpoint,
    make_runner,
    tiny_runner_cfg,
)

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.active_learning.campaign.campaign import Campaign
from mmseg_tsf.engine.loops.active_learning_loop import ActiveLearningLoop
from mmseg_tsf.models import SelfTraining
from mmseg_tsf.utils.errors import UserError

STAGE, LAST = 2, 6


class Watch(Hook):
    """Losses and networks of every iteration: as it begins, and as it ends."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.losses, self.before, self.after = {}, {}, {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.before[runner.iter] = copied(runner.model)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.losses[runner.iter] = {k: float(v) for k, v in outputs.items()}
        self.after[runner.iter] = copied(runner.model)


def copied(model) -> dict[str, dict]:
    """Copies of the states of both networks."""
    return {
        name: {k: v.clone() for k, v in getattr(model, name).state_dict().items()}
        for name in model.network_names
    }


def config(root, work_dir, start='fresh', **loop):
    """Three generations of two iterations, with refinement and manual labels."""
    model = loop.pop('model', None) or model_cfg('self_training', manual_weight=0.5, **REFINED)
    cfg = active_learning_cfg('self_training', root, work_dir, model=model, start=start, **loop)
    for schedule in cfg.param_scheduler:
        schedule.end = STAGE if start == 'fresh' else LAST
    return cfg


def run(cfg, resume=False) -> tuple:
    """Runner and record of a run."""
    cfg.resume = resume
    runner, watch = make_runner(cfg), Watch()
    runner.register_hook(watch)
    runner.train()
    return runner, watch


@pytest.mark.parametrize('start', ['continue', 'fresh'])
def test_the_student_of_one_stage_teaches_the_next(start, data_root, tmp_path):
    runner, watch = run(config(data_root, tmp_path, start))
    assert runner.iter == LAST and int(runner.model.generation) == 2
    for step in range(LAST):
        taught = 'loss_unlabelled' in watch.losses[step]
        assert taught == ('student.loss_manual' in watch.losses[step]) == (step >= STAGE)
        first = step - step % STAGE
        if first:  # a teacher has all that the last iteration of the stage before left behind
            assert_equal(watch.before[step]['teacher'], watch.after[first - 1]['student'])
            assert_equal(watch.after[step]['teacher'], watch.after[first - 1]['student'])
    for first in (STAGE, 2 * STAGE):
        begins_with = watch.before[0] if start == 'fresh' else watch.after[first - 1]
        assert_equal(watch.before[first]['student'], begins_with['student'])
    weight = 'decode_head.conv_seg.weight'
    assert not torch.equal(watch.after[1]['student'][weight], watch.after[3]['student'][weight])
    assert any(value > 0 for step, value in manual_losses(watch).items() if step >= STAGE)


def manual_losses(watch) -> dict:
    return {step: own.get('student.loss_manual', 0.0) for step, own in watch.losses.items()}


def kill_in(monkeypatch, where: str) -> None:
    """A run stops at a moment: in a round, in the step behind it, or as the next stage begins."""
    place, name = {
        'round': (Campaign, 'hold'),
        'begin': (ActiveLearningLoop, '_begin_stage'),
        'step': (ActiveLearningLoop, 'run_iter'),
    }[where.split()[0]]
    original, kill_at = getattr(place, name), int(where.split()[1])

    def until(self, *args):
        if where.startswith('round'):
            answered = original(self, *args)
            if args[0] == kill_at:
                raise KeyboardInterrupt
            return answered
        if self._iter == kill_at:
            if where.startswith('begin'):
                original(self)
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(place, name, until)


@pytest.fixture(scope='module', params=['continue', 'fresh'])
def whole(request, data_root, tmp_path_factory):
    """How stages start, and the folder and record of a run that nobody kills."""
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, run(config(data_root, folder, request.param))[1]


@pytest.mark.parametrize(
    ('where', 'saves'),
    [
        ('round 0', 1),
        ('begin 2', 1),
        ('step 2', 1000),
        ('step 3', 1),
        ('round 1', 1000),
        ('step 5', 1000),
    ],
)
def test_killed_and_resumed_equals_uninterrupted(
    where, saves, whole, data_root, tmp_path, monkeypatch
):
    start, folder, expected = whole
    cfg = config(data_root, tmp_path, start)
    cfg.default_hooks.checkpoint.interval = saves
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        kill_in(patch, where)
        run(cfg)
    again = config(data_root, tmp_path, start)
    watch = run(again, resume=True)[1]
    begun = min(watch.losses)
    assert begun >= STAGE
    for step in range(begun, LAST):
        assert watch.losses[step] == expected.losses[step], step
    first, second = (load_checkpoint(own / f'iter_{LAST}.pth') for own in (folder, tmp_path))
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_equal(second[part], first[part], part)
    for number in (0, 1):
        files = [
            RoundStore(own / 'rounds').answer(number).info['files'] for own in (folder, tmp_path)
        ]
        assert files[0] == files[1]


def test_an_empty_first_stage_makes_no_teacher(own_data_root, tmp_path):
    """Its student has learnt nothing."""
    options = dict(rounds=2, stages=[0, 3, 3])
    cfg = config(own_data_root, tmp_path, **options)
    runner, watch = run(cfg)
    assert int(runner.model.generation) == 1
    assert [step for step in range(LAST) if 'loss_unlabelled' in watch.losses[step]] == [3, 4, 5]


def test_generations_go_on_when_the_budget_is_spent(data_root, tmp_path):
    """A stage with a new teacher repeats none."""
    budget = dict(total=INITIAL + 9, per_round=9)
    runner, _ = run(config(data_root, tmp_path, budget=budget))
    log = (tmp_path / 'active_learning.jsonl').read_text().splitlines()
    states = [json.loads(line)['state'] for line in log]
    assert (runner.iter, states) == (LAST, ['answered', 'exhausted', 'finished'])


def test_refinement_asks_by_the_student(data_root, tmp_path, monkeypatch):
    first, query = dict(type='SeedQuery', threshold=0.99), dict(type='PLARQuery')
    show, asked = SelfTraining.show, []

    def noted(self, name, *args):
        if not self.training:  # in the pass over the pool
            asked.append(name)
        return show(self, name, *args)

    monkeypatch.setattr(SelfTraining, 'show', noted)
    runner, watch = run(config(data_root, tmp_path, first_query=first, query=query))
    assert set(asked) == {'student'}
    shares = runner.message_hub.get_scalar('refinement/flagged.road').current()
    assert 0 <= shares <= 100  # of the labels that taught, which are the teacher's
    assert runner.model.refinement.learns and not runner.model.refinement_teacher.learns
    assert all('loss_emd' in losses for losses in watch.losses.values())
    refined = [step for step in range(LAST) if 'refinement.flagged' in watch.losses[step]]
    assert refined == [3, 5]  # the second half of each stage that has a teacher


def test_a_committee_with_the_teacher_is_refused(data_root, tmp_path):
    cfg = config(data_root, tmp_path, query=dict(type='QBCQuery', networks=()))
    with pytest.raises(UserError, match='QBCQuery asks the teacher of SelfTraining'):
        run(cfg)


def test_a_checkpoint_with_a_teacher_teaches_from_the_start(data_root, tmp_path):
    run(config(data_root, tmp_path / 'a', model=model_cfg('self_training')))
    cfg = tiny_runner_cfg('self_training', data_root, tmp_path / 'b', max_iters=1)
    cfg.load_from = str(tmp_path / 'a' / f'iter_{LAST}.pth')
    runner, watch = run(cfg)
    assert 'loss_unlabelled' in watch.losses[0]
    saved = load_checkpoint(tmp_path / 'a' / f'iter_{LAST}.pth')['state_dict']
    assert all(torch.equal(v, saved[f'teacher.{k}']) for k, v in watch.after[0]['teacher'].items())
