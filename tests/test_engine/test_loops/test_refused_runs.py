"""Runs that would harm labels that were paid for: refused in one sentence, and nothing touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fault_runs import assert_goes_on, assert_refused, kill, needs_cpu, rounds_cfg, snapshot, train
from fault_runs import tool as kill_resume
from tiny_runs import CLASSES, INITIAL
from tool_loader import load_tool

from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.active_learning.oracles.simulated import GroundTruthOracle
from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.processes import run_forked

pytestmark = needs_cpu


@pytest.fixture(scope='module')
def whole(data_root, tmp_path_factory) -> dict:
    """Outcome of a run that meets nothing."""
    work_dir = tmp_path_factory.mktemp('refused') / 'whole'
    assert train(rounds_cfg(data_root, work_dir), work_dir.with_suffix('.txt'))[0] == 0
    return kill_resume.outcome(work_dir)


@pytest.fixture(scope='module')
def killed(data_root, tmp_path_factory) -> Path:
    """Folder of a run that was killed between the second request and its answer."""
    work_dir = tmp_path_factory.mktemp('refused') / 'run'
    kill(rounds_cfg(data_root, work_dir), 'before an answer', 1)
    return work_dir


@pytest.fixture
def resumed(killed, data_root):
    """Its config; whatever is done with it, not a file of the store may change."""
    before = snapshot(killed / 'rounds')
    cfg = rounds_cfg(data_root, killed)
    cfg.resume = True
    yield cfg
    assert snapshot(killed / 'rounds') == before
    assert verify(RoundStore(killed / 'rounds')) == []


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


@pytest.mark.parametrize('spoil', [cut, flip, None])
@pytest.mark.parametrize(
    'name',
    [
        'round_000/request/masks/*.png',
        'round_000/answer/labels/*.png',
        'round_001/request/masks/*.png',
        'round_001/request/manifest.json',
        'campaign.json',
    ],
)
def test_a_damaged_file(name, spoil, resumed, killed, tmp_path):
    path = sorted((killed / 'rounds').glob(name))[0]
    content = path.read_bytes()
    path.unlink()
    if spoil is not None:
        path.write_bytes(spoil(content))
    problems = verify(RoundStore(killed / 'rounds'))
    end = train(resumed, tmp_path / 'errors')
    path.write_bytes(content)
    assert_refused(end, str(path), 'restore', 'missing' if spoil is None else 'altered')
    assert any(str(path) in problem for problem in problems)


def other_pool(cfg, folder):
    (folder / 'fewer.txt').write_text('frame_5\nframe_6\n')
    cfg.train_dataloader.dataset.unlabelled.ann_file = str(folder / 'fewer.txt')


def other_classes(cfg, folder):
    names = (*CLASSES[:-1], 'tree')
    for part in ('labelled', 'unlabelled'):
        cfg.train_dataloader.dataset[part].metainfo.classes = names


def other_initial_list(cfg, folder):
    (folder / 'fewer.txt').write_text('frame_0\nframe_1\n')
    cfg.train_dataloader.dataset.labelled.ann_file = str(folder / 'fewer.txt')


def smaller_budget(cfg, folder):
    cfg.train_cfg.budget.total = INITIAL + 100


@pytest.mark.parametrize(
    ('change', 'parts'),
    [
        (other_pool, ['pool was "7 images', 'and is "2 images', 'restore it']),
        (other_classes, ['classes was ["road"', '"tree"] now', 'restore it']),
        (other_initial_list, ['initial_list was "5 images', 'restore it']),
        (smaller_budget, [f'budget.total is {INITIAL + 100} pixels, but', 'are paid', 'raise it']),
    ],
)
def test_a_changed_config(change, parts, resumed, tmp_path):
    change(resumed, tmp_path)
    assert_refused(train(resumed, tmp_path / 'errors'), *parts)


def test_labels_for_the_training_are_made_anew(whole, data_root, tmp_path):
    """They are not what was paid for: nobody has to restore them."""
    cfg = rounds_cfg(data_root, tmp_path / 'run')
    kill(cfg, 'before a step', 3)
    path = sorted((tmp_path / 'run/rounds/labels').glob('*.png'))[0]
    path.write_bytes(cut(path.read_bytes()))
    assert_goes_on(cfg, whole, tmp_path / 'moments')


def test_a_second_run_beside_the_first(whole, data_root, tmp_path, monkeypatch):
    """As two users start them, with tools/train.py; the first is at work on its first answer."""
    work_dir, errors = tmp_path / 'run', tmp_path / 'errors'
    rounds_cfg(data_root, work_dir).dump(tmp_path / 'tiny.py')
    main = load_tool('train.py').main
    at_work, refused = os.pipe(), os.pipe()
    answer = GroundTruthOracle.answer

    def waiting(oracle, request, *args):
        if request.number == 0:
            os.write(at_work[1], b'.')
            os.read(refused[0], 1)
        return answer(oracle, request, *args)

    def second():
        os.read(at_work[0], 1)
        before = snapshot(work_dir)
        try:
            options = ['train_cfg.budget.total=1.0', 'randomness.seed=8']
            main([*arguments, '--cfg-options', *options])
        finally:
            same = snapshot(work_dir) == before
            os.write(refused[1], b'.')
            assert same

    monkeypatch.setattr(GroundTruthOracle, 'answer', waiting)
    arguments = [str(tmp_path / 'tiny.py'), '--work-dir', str(work_dir)]
    works = [lambda: main(arguments), second]
    first_status, status = run_forked(lambda number: run_tool(works[number]), 2, errors)
    sentence = f'another run is using {work_dir}/rounds: wait for it or give another --work-dir'
    assert_refused((status, errors.read_text()), sentence)
    assert first_status == 0
    assert kill_resume.differences(whole, kill_resume.outcome(work_dir)) == []


def test_a_second_run_that_was_not_started_by_the_tool(data_root, tmp_path):
    """Runners of other programs meet the lock when training begins."""
    store = RoundStore(tmp_path / 'run/rounds')
    with store.lock():
        end = train(rounds_cfg(data_root, tmp_path / 'run'), tmp_path / 'errors')
    assert_refused(end, f'another run is using {store.root}')
    assert [path.name for path in store.root.iterdir()] == ['.lock']
