"""Runs without rounds whose checkpoints, or the note of the last one, are damaged or moved."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from tiny_runs import load_checkpoint, make_runner, tiny_runner_cfg
from tool_loader import load_tool

from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.engine import durable_saves
from mmseg_tsf.engine.loops import checkpoints
from mmseg_tsf.utils.errors import StoreError, UserError


def make_cfg(root, work_dir, max_iters=4, resume=True, **hook):
    cfg = tiny_runner_cfg('mt', root, work_dir, max_iters, resume=resume)
    cfg.param_scheduler[0].end = 9
    cfg.default_hooks.checkpoint.update(dict(interval=1, max_keep_ckpts=3), **hook)
    return cfg


@pytest.fixture(scope='module')
def trained(data_root, tmp_path_factory) -> Path:
    """Folder of a run of 4 iterations with its last three checkpoints; not to be changed."""
    work_dir = tmp_path_factory.mktemp('checkpoints') / 'run'
    make_runner(make_cfg(data_root, work_dir, resume=False)).train()
    return work_dir


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    """A copy of it whose files are all of one age, with the note of a folder that is gone."""
    work_dir = tmp_path / 'run'
    shutil.copytree(trained, work_dir)
    for path in work_dir.glob('*.pth'):
        os.utime(path, (0, 0))
    (work_dir / 'last_checkpoint').write_text(str(tmp_path / 'elsewhere/iter_4.pth'))
    return work_dir


@pytest.fixture
def said(monkeypatch) -> list[str]:
    texts = []
    monkeypatch.setattr(checkpoints, 'print_log', lambda text, *_: texts.append(text))
    return texts


def iteration_of_resume(cfg) -> int:
    """Iteration at which a run begins; it is not trained."""
    runner = make_runner(cfg)
    begun = []
    runner.train_loop.run = lambda: begun.append(runner.iter)
    runner.train()
    return begun[0]


NOTES = dict(
    missing=None,
    empty=b'',
    zeros=bytes(60),
    bytes=b'\xff\xfe\x00\x9c' * 9,
    nowhere=b'/nowhere/iter_4.pth',
    folder=b'.',
    lines=b'a\nb\nc',
)


@pytest.mark.parametrize('note', NOTES)
def test_a_run_without_its_note_goes_on_from_the_newest_checkpoint(note, copied, data_root, said):
    path = copied / 'last_checkpoint'
    path.unlink()
    if NOTES[note] is not None:
        path.write_bytes(NOTES[note])
    assert iteration_of_resume(make_cfg(data_root, copied)) == 4
    assert len(said) == 1 and said[0].endswith(f'the run resumes from {copied}/iter_4.pth')
    assert path.read_text() == f'{copied}/iter_4.pth'


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


@pytest.mark.parametrize(('spoil', 'what'), [(flip, 'was altered'), (cut, 'is incomplete')])
def test_a_damaged_checkpoint_is_passed_over(spoil, what, copied, data_root, said):
    (copied / 'last_checkpoint').write_text(str(copied / 'iter_4.pth'))
    assert verify(RoundStore(copied / 'rounds'))[1:] == []  # there is no campaign
    spoil(copied / 'iter_4.pth')
    problems = verify(RoundStore(copied / 'rounds'))
    assert len(problems) == 2 and problems[1].startswith(f'{copied}/iter_4.pth {what}')
    assert iteration_of_resume(make_cfg(data_root, copied)) == 3
    assert said[0].startswith(f'{copied}/iter_4.pth {what}')
    assert said[0].endswith(f'the run resumes from {copied}/iter_3.pth')


def test_a_run_without_any_checkpoint_says_that_it_begins_anew(copied, data_root, said):
    for path in copied.glob('*.pth'):
        flip(path)
    assert iteration_of_resume(make_cfg(data_root, copied)) == 0
    assert said[0].endswith('iter_4.pth does not exist: the run resumes from its start')
    assert not (copied / 'last_checkpoint').exists()
    cfg = make_cfg(data_root, copied)
    cfg.load_from = str(copied / 'iter_3.pth')
    with pytest.raises(UserError, match='iter_3.pth was altered .*: resume from another one'):
        iteration_of_resume(cfg)


def test_weights_alone_are_no_checkpoint_to_resume_from(copied, data_root, said):
    newest = load_checkpoint(copied / 'iter_4.pth')
    del newest['optimizer']
    torch.save(newest, copied / 'iter_4.pth')
    (copied / 'iter_5.pth').write_bytes(b'PK')
    assert iteration_of_resume(make_cfg(data_root, copied)) == 3


def test_checkpoints_in_a_folder_of_their_own_are_found(data_root, tmp_path, said):
    out_dir = str(tmp_path / 'far')
    make_runner(make_cfg(data_root, tmp_path / 'run', resume=False, out_dir=out_dir)).train()
    (tmp_path / 'run/last_checkpoint').unlink()
    cfg = make_cfg(data_root, tmp_path / 'run', out_dir=out_dir)
    assert iteration_of_resume(cfg) == 4
    assert said[0].endswith(f'the run resumes from {out_dir}/run/iter_4.pth')


def test_a_checkpoint_is_on_the_disk_before_an_older_one_goes(data_root, tmp_path, monkeypatch):
    """Stock mmengine deletes the older one first."""
    steps = []
    save, remove = durable_saves.write_checkpoint, durable_saves.DurableLocalBackend.remove

    def saved(path, content):
        save(path, content)
        steps.append(('saved', path.name))

    def removed(self, path):
        remove(self, path)
        steps.append(('removed', Path(path).name))

    monkeypatch.setattr(durable_saves, 'write_checkpoint', saved)
    monkeypatch.setattr(durable_saves.DurableLocalBackend, 'remove', removed)
    make_runner(make_cfg(data_root, tmp_path, resume=False, max_keep_ckpts=1)).train()
    expected = [('saved', 'iter_1.pth')]
    for i in (2, 3, 4):
        expected += [('saved', f'iter_{i}.pth'), ('removed', f'iter_{i - 1}.pth')]
    assert steps == expected
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_4.pth']


def test_a_disk_that_is_full_costs_no_checkpoint(copied, data_root, monkeypatch):
    last = copied / 'iter_4.pth'
    (copied / 'last_checkpoint').write_text(str(last))
    before = last.read_bytes()

    def full(path, content):
        raise StoreError(f'{path} cannot be written: the disk is full')

    monkeypatch.setattr(durable_saves, 'write_checkpoint', full)
    with pytest.raises(StoreError, match='iter_5.pth cannot be written'):
        make_runner(make_cfg(data_root, copied, 8, max_keep_ckpts=1)).train()
    assert last.read_bytes() == before


def test_tools_refuse_an_altered_checkpoint(copied, data_root, capsys):
    flip(copied / 'iter_4.pth')
    cfg = make_cfg(data_root, copied)
    cfg.dump(copied / 'tiny.py')
    with pytest.raises(SystemExit):
        load_tool('test.py').main([str(copied / 'tiny.py'), str(copied / 'iter_4.pth')])
    assert 'iter_4.pth was altered after it was written' in capsys.readouterr().err
    export = load_tool('export_segmentor.py')
    with pytest.raises(UserError, match='iter_4.pth was altered'):
        export.load_checkpoint(str(copied / 'iter_4.pth'))
    verifier = load_tool('active_learning/verify.py')
    with pytest.raises(SystemExit):
        verifier.main([str(copied)])
    assert 'iter_4.pth was altered' in capsys.readouterr().out
