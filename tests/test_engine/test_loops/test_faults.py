"""Disks that are full or read-only: one sentence, an intact store, and a run to go on with."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_runs import (
    LimitedFiles,
    assert_goes_on,
    assert_refused,
    end_of,
    kill,
    needs_cpu,
    read_only,
    rounds_cfg,
    small_disk,
    snapshot,
    tool,
    train,
)
from mmengine.hooks import CheckpointHook
from tool_loader import load_tool

from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.active_learning.store.round_log import RoundLog
from mmseg_tsf.engine.loops import checkpoints
from mmseg_tsf.engine.loops.stages import InitialState

pytestmark = needs_cpu
# what is written, what writes it, and the file of the run that is named
WRITERS = {
    'campaign': (RoundStore, 'open', 'rounds/campaign.json'),
    'weights to begin with': (InitialState, 'keep', 'initial.pth'),
    'checkpoint': (CheckpointHook, 'after_train_iter', 'iter_1.pth'),
    'checkpoint of a round': (checkpoints, 'write_last_checkpoint', 'iter_2.pth'),
    'request': (RoundStore, 'write_request', 'rounds/round_000'),
    'answer': (RoundStore, 'write_answer', 'rounds/round_000/answer'),
    'labels': (RoundStore, 'label_folder', 'rounds/labels'),
    'log': (RoundLog, 'write', 'active_learning.jsonl'),
}


def make_cfg(root, work_dir):
    cfg = rounds_cfg(root, work_dir, start='fresh')
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1)
    return cfg


@pytest.fixture(scope='module')
def whole(data_root, tmp_path_factory) -> dict:
    """Outcome of a run that meets nothing."""
    work_dir = tmp_path_factory.mktemp('faults') / 'whole'
    assert train(make_cfg(data_root, work_dir), work_dir.with_suffix('.txt'))[0] == 0
    return tool.outcome(work_dir)


def meet_a_full_disk(disk, writer, whole, data_root, tmp_path, monkeypatch, sentence) -> None:
    owner, name, file = WRITERS[writer]
    original, work_dir = getattr(owner, name), disk.path / 'run'

    def at_last(*args, **kwargs):
        disk.fill()
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, at_last)
        end = train(make_cfg(data_root, work_dir), tmp_path / 'errors')
    assert_refused(end, f'{work_dir / file} cannot be written: {sentence}', 'then resume')
    disk.free()
    store = RoundStore(work_dir / 'rounds')
    if writer != 'campaign':
        assert verify(store) == []
    assert_goes_on(make_cfg(data_root, work_dir), whole, tmp_path / 'moments')


@pytest.mark.parametrize('writer', WRITERS)
def test_a_full_disk(writer, whole, data_root, tmp_path, monkeypatch):
    with small_disk(tmp_path / 'disk') as disk:
        sentence = 'the disk is full: make room'
        meet_a_full_disk(disk, writer, whole, data_root, tmp_path, monkeypatch, sentence)


@pytest.mark.parametrize('writer', ['request', 'answer', 'checkpoint'])
def test_files_that_may_not_grow(writer, whole, data_root, tmp_path, monkeypatch):
    disk = LimitedFiles(tmp_path)
    sentence = 'the file size limit is reached: raise the limit'
    meet_a_full_disk(disk, writer, whole, data_root, tmp_path, monkeypatch, sentence)


@pytest.fixture
def killed(data_root, tmp_path) -> Path:
    """Folder of a run that was killed between a request and its answer."""
    work_dir = tmp_path / 'run'
    kill(make_cfg(data_root, work_dir), 'before an answer', 1)
    return work_dir


def test_rounds_that_are_read_only(killed, whole, data_root, tmp_path):
    cfg = make_cfg(data_root, killed)
    cfg.resume = True
    with read_only(killed / 'rounds'):
        end = train(cfg, tmp_path / 'errors')
    place = f'{killed}/rounds/.lock cannot be written'
    assert_refused(end, place, 'writable', 'then resume')
    assert verify(RoundStore(killed / 'rounds')) == []
    assert_goes_on(cfg, whole, tmp_path / 'moments', steps=2)


def test_a_run_that_is_read_only(killed, whole, data_root, tmp_path):
    """mmengine is the first to write to its folder."""
    cfg = make_cfg(data_root, killed)
    cfg.dump(tmp_path / 'tiny.py')
    main = load_tool('train.py').main
    before = snapshot(killed)
    with read_only(killed):
        options = [str(tmp_path / 'tiny.py'), '--work-dir', str(killed), '--resume']
        end = end_of(lambda: main(options), tmp_path / 'errors')
    assert_refused(end, f'{killed}/', ' cannot be written: ', 'writable', 'then resume')
    assert snapshot(killed) == before
    assert_goes_on(cfg, whole, tmp_path / 'moments', steps=2)


@pytest.mark.parametrize('note', ['', 'iter_9.pth'])
@pytest.mark.parametrize('part', [1.0, 0.9, 0.0])
def test_the_last_checkpoint_is_gone(note, part, killed, whole, data_root, tmp_path):
    """mmengine empties its note of it, and deletes old ones, before it has written the new one."""
    (killed / 'last_checkpoint').write_text(note and str(killed / note))
    (checkpoint,) = killed.glob('iter_*.pth')
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(part * len(content))])
    steps = 2 if part == 1 else 6  # the training begins anew, with what was bought
    before = snapshot(killed / 'rounds/round_000')
    assert_goes_on(make_cfg(data_root, killed), whole, tmp_path / 'moments', steps)
    assert snapshot(killed / 'rounds/round_000') == before
