"""Runs that begin or go on in a folder that is not empty, with people or settings in between."""

from __future__ import annotations

import json
import logging
import re
import shutil

import pytest
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS
from tiny_runs import INITIAL, active_learning_cfg, make_runner
from tool_loader import load_tool

from mmseg_tsf.active_learning import RoundStore, StoreError, verify
from mmseg_tsf.active_learning.campaign import resuming as opening
from mmseg_tsf.active_learning.oracles import folder
from mmseg_tsf.engine.loops import active_learning_loop, checkpoints, stages
from mmseg_tsf.utils.errors import UserError

status = load_tool('active_learning/status.py')


@pytest.fixture
def warned(monkeypatch) -> list[str]:
    """What is logged as a warning."""
    texts = []

    def note(text, logger=None, level=logging.INFO):
        if level >= logging.WARNING:
            texts.append(text)

    for module in (opening, active_learning_loop, folder):
        monkeypatch.setattr(module, 'print_log', note)
    return texts


def lines(work_dir):
    return [json.loads(x) for x in (work_dir / 'active_learning.jsonl').read_text().splitlines()]


def train(root, work_dir, resume=False, method='mt', **options):
    cfg = active_learning_cfg(method, root, work_dir, **options)
    cfg.resume = resume
    runner = make_runner(cfg)
    runner.train()
    return runner


def answer(root, work_dir, number, count=None):
    """People answer the first images of a round, or all."""
    ids = list(RoundStore(work_dir / 'rounds').request(number).images)[:count]
    target = work_dir / f'annotation/round_{number:03d}/answers'
    for image_id in ids:
        shutil.copy(root / f'ann/{image_id}.png', target / f'{image_id}.png')
    return ids


def waits_for(work_dir):
    return status.main([str(work_dir), '--json'])['waits_for']


def test_rounds_of_another_run_are_not_taken_for_its_own(data_root, tmp_path):
    train(data_root, tmp_path)
    before = RoundStore(tmp_path / 'rounds').campaign()
    for change in (
        dict(query=dict(type='MarginQuery')),
        dict(selector=dict(type='PixelSelector', block=2)),
        dict(pool=dict(flip=True)),
    ):
        with pytest.raises(UserError, match=r'rounds of a run with other settings .*--resume'):
            train(data_root, tmp_path, **change)
    cfg = active_learning_cfg('mt', data_root, tmp_path)
    cfg.optim_wrapper.optimizer.lr = 0.3
    with pytest.raises(UserError, match=r'optim_wrapper.optimizer.lr was .*, is "0.3"\): go on'):
        make_runner(cfg).train()
    cfg = active_learning_cfg('mt', data_root, tmp_path, query=dict(type='EntropyQuery'))
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)  # changes nothing
    make_runner(cfg).train()
    assert RoundStore(tmp_path / 'rounds').campaign() == before


def test_the_same_run_begun_anew_finds_what_it_has_asked(data_root, tmp_path):
    train(data_root, tmp_path)
    digests = [RoundStore(tmp_path / 'rounds').request(n).digest for n in range(2)]
    train(data_root, tmp_path)
    store = RoundStore(tmp_path / 'rounds')
    assert [store.request(n).digest for n in range(2)] == digests
    assert verify(store) == []


def test_changed_settings_of_the_training_are_named_on_resume(data_root, tmp_path, monkeypatch):
    said = []
    train(data_root, tmp_path)
    monkeypatch.setattr(opening, 'print_log', lambda text, *_: said.append(text))
    cfg = active_learning_cfg('mt', data_root, tmp_path)
    cfg.optim_wrapper.optimizer.lr = 0.3
    cfg.train_dataloader.num_workers = 1
    cfg.resume = True
    make_runner(cfg).train()
    assert len(said) == 1
    assert said[0].startswith('Active learning: optim_wrapper.optimizer.lr was ')
    assert said[0].endswith(', is "0.3" from now on')


def test_before_the_first_request_everything_may_change(data_root, tmp_path):
    with pytest.raises(UserError, match='are paid already'):
        train(data_root, tmp_path, budget=dict(total=INITIAL - 1))
    assert not (tmp_path / 'rounds/campaign.json').exists()
    store = RoundStore(tmp_path / 'rounds')
    store.open(dict(pool='another one'), opening.FIXED)  # of a run that was killed in stage 0
    train(data_root, tmp_path)
    assert store.campaign()['pool'].startswith('7 images')


def test_what_people_are_asked_counts_when_the_budget_is_lowered(data_root, tmp_path):
    options = dict(rounds=2, oracle=dict(type='FolderOracle'))
    train(data_root, tmp_path, **options)  # 151 of 301 pixels are asked
    with pytest.raises(UserError, match=f'but {INITIAL + 151} are paid already and asked in rou'):
        train(data_root, tmp_path, True, budget=dict(total=INITIAL + 50), **options)
    with pytest.raises(UserError, match='rounds=1, but 2 are asked already: raise it'):
        answer(data_root, tmp_path, 0)
        train(data_root, tmp_path, True, **options)  # round 1 is asked
        train(data_root, tmp_path, True, **{**options, 'rounds': 1})


def test_answers_that_come_after_their_round_was_closed_are_named(data_root, tmp_path, warned):
    oracle = dict(type='FolderOracle', accept_partial=True)
    options = dict(rounds=1, oracle=oracle)
    train(data_root, tmp_path, **options)
    assert 'waiting for annotators: 7 of 7 answers are missing' in warned[0]  # with any log_level
    assert len(answer(data_root, tmp_path, 0, 2)) == 2
    train(data_root, tmp_path, True, **options)
    assert len(RoundStore(tmp_path / 'rounds').answer(0).images) == 2
    answer(data_root, tmp_path, 0)
    warned.clear()
    train(data_root, tmp_path, True, **options)
    assert '5 answers arrived after round 0 was closed (' in warned[0]


def test_an_end_that_is_none_any_more(data_root, tmp_path):
    train(data_root, tmp_path)
    assert waits_for(tmp_path) == 'nothing, training is finished'
    cfg = active_learning_cfg('mt', data_root, tmp_path, max_iters=8, stages=[2, 2, 4])
    cfg.resume = True
    runner = make_runner(cfg)
    runner.train_loop.run_iter = None  # killed in its first step
    with pytest.raises(TypeError):
        runner.train()
    assert lines(tmp_path)[-1]['state'] == 'extended'
    assert waits_for(tmp_path) == 'the end of training: every round is answered'
    train(data_root, tmp_path, True, max_iters=8, stages=[2, 2, 4])
    assert [line['state'] for line in lines(tmp_path)][-2:] == ['extended', 'finished']


def test_fresh_stages_end_with_the_budget_and_say_so(data_root, tmp_path):
    budget = dict(total=INITIAL + 9, per_round=9)
    options = dict(budget=budget, start='fresh', rounds=2)
    runner = train(data_root, tmp_path, method='supervised', **options)
    assert runner.iter == 4  # of 6: the third stage would repeat the second
    assert [line['state'] for line in lines(tmp_path)] == ['answered', 'exhausted', 'finished']
    assert waits_for(tmp_path) == 'nothing, training is finished'


def test_a_round_that_was_closed_without_a_budget_says_where_more_goes(data_root, tmp_path, warned):
    options = dict(rounds=2, budget=dict(total=INITIAL + 9, per_round=9))
    train(data_root, tmp_path, **options)
    shutil.copy(tmp_path / 'iter_4.pth', tmp_path / 'kept.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'kept.pth'))
    warned.clear()
    more = dict(options, budget=dict(total=INITIAL + 20, per_round=9))
    train(data_root, tmp_path, True, **more)
    text = 'round 1 was closed when there was nothing to spend: 11 pixels are left for more'
    assert text in warned[0]


def test_the_manifests_say_what_was_spent_before_and_after(data_root, tmp_path):
    train(data_root, tmp_path)
    store = RoundStore(tmp_path / 'rounds')
    expected = [INITIAL, INITIAL + 151, INITIAL + 301]
    for number in range(2):
        for part in (store.request(number), store.answer(number)):
            assert part.info['spent_before']['pixels'] == expected[number]
            assert part.info['spent_after']['pixels'] == expected[number + 1]
        assert store.request(number).info['seed'] == 3 + number  # that of the run is 3
    touched = {image_id for number in range(2) for image_id in store.answer(number).images}
    assert store.answer(1).info['spent_after']['images'] == 5 + len(touched)


def test_a_budget_of_clicks_is_what_the_ledger_counts(data_root, tmp_path):
    options = dict(rounds=3, max_iters=8, selector=dict(type='GridSelector', size=8))
    train(data_root, tmp_path, budget=dict(total=100, unit='clicks'), **options)
    store = RoundStore(tmp_path / 'rounds')
    asked = [sum(n['clicks'] for n in store.request(r).images.values()) for r in range(3)]
    assert asked == [30, 35, 35]  # cells of 5 clicks each, although many touch
    summary = status.main([str(tmp_path), '--json'])
    assert (summary['spent']['clicks'], summary['left']) == (100, 0)


def test_a_damaged_line_of_the_log_is_named_and_stops_no_resume(data_root, tmp_path):
    train(data_root, tmp_path)
    log = tmp_path / 'active_learning.jsonl'
    whole = log.read_text()
    log.write_text(whole + '\n')
    train(data_root, tmp_path, True)  # an empty line is none
    log.write_text(whole[:-20])
    sentence = r'line 3 of .*active_learning.jsonl cannot be read: delete what is damaged'
    (problem,) = verify(RoundStore(tmp_path / 'rounds'))
    assert re.match(sentence, problem)
    train(data_root, tmp_path, True)
    assert (tmp_path / 'active_learning.jsonl.damaged').read_text() == whole[:-20]
    assert lines(tmp_path)[:2] == [json.loads(line) for line in whole.splitlines()[:2]]
    assert verify(RoundStore(tmp_path / 'rounds')) == []


def test_an_exchanged_answer_is_noticed_before_it_is_trained_on(data_root, tmp_path):
    train(data_root, tmp_path / 'a')
    train(data_root, tmp_path / 'b', query=dict(type='RandomQuery'))
    part = 'rounds/round_001/answer'
    shutil.rmtree(tmp_path / 'a' / part)
    shutil.copytree(tmp_path / 'b' / part, tmp_path / 'a' / part)
    with pytest.raises(StoreError, match='round_001/answer does not belong to .*request'):
        train(data_root, tmp_path / 'a', True)
    replay = load_tool('active_learning/replay.py').main
    with pytest.raises(StoreError, match='does not belong to'):
        replay([str(tmp_path / 'a'), '--round', '1', '-o', str(tmp_path / 'labels')])


def test_images_of_one_name_in_other_folders_are_other_images(own_data_root, tmp_path):
    for name in 'ab':
        for part in ('img', 'ann'):
            shutil.copytree(own_data_root / part, own_data_root / part / name)
        text = ''.join(f'{name}/frame_{i}\n' for i in range(5))
        (own_data_root / f'{name}.txt').write_text(text)
    cfg = active_learning_cfg('mt', own_data_root, tmp_path)
    cfg.train_dataloader.dataset.labelled.ann_file = str(own_data_root / 'a.txt')
    make_runner(cfg).train()
    cfg.train_dataloader.dataset.labelled.ann_file = str(own_data_root / 'b.txt')
    cfg.resume = True
    with pytest.raises(StoreError, match='initial_paths was "5 images'):
        make_runner(cfg).train()


@METRICS.register_module()
class Curves(BaseMetric):
    """Gives a list, a word and a figure."""

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        return dict(list=[1, 2], word='good', figure=3)


def test_metrics_that_are_no_figures_are_left_out(data_root, tmp_path):
    cfg = active_learning_cfg('mt', data_root, tmp_path)
    cfg.val_evaluator = dict(type='Curves')
    make_runner(cfg).train()
    assert lines(tmp_path)[0]['metrics'] == {
        f'{name}/figure': 3.0 for name in ('teacher', 'student')
    }


def test_half_a_checkpoint_is_none(data_root, tmp_path, monkeypatch):
    train(data_root, tmp_path)
    whole = tmp_path / 'iter_6.pth'
    whole.write_bytes(whole.read_bytes()[:1000])
    said = []
    monkeypatch.setattr(checkpoints, 'print_log', lambda text, *_: said.append(text))
    assert train(data_root, tmp_path, True).iter == 6
    assert said == [f'{whole} is incomplete: the run resumes from {tmp_path}/iter_4.pth']


def test_schedules_that_a_fresh_stage_cuts_off_are_named(data_root, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(stages, 'print_log', lambda text, *_: said.append(text))
    for schedule in ([dict(type='PolyLR', end=6, by_epoch=False)], dict(type='PolyLR', end=6)):
        cfg = active_learning_cfg('supervised', data_root, tmp_path, start='fresh')
        cfg.param_scheduler = schedule
        assert make_runner(cfg).train_loop.boundaries == [2, 4]
        assert 'param_scheduler.0.end=6 exceeds the 2 iterations of a stage' in said.pop()
    cfg.param_scheduler = dict(type='PolyLR', end=2)
    assert make_runner(cfg).train_loop.boundaries == [2, 4]
    assert said == []
