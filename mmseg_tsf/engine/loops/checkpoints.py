"""Checkpoints at rounds, from which a killed run is resumed."""

from __future__ import annotations

import logging
from pathlib import Path

from mmengine.dist import broadcast
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from ...utils.checkpoint_files import check_checkpoint, checkpoint_damage
from ...utils.files import write_file
from ...utils.main_process import on_main_process
from ...utils.runner import unwrap

LAST = 'last_checkpoint'
"""File in which mmengine notes the checkpoint to resume from."""


def boundary_checkpoint(runner: Runner, loop) -> None:
    """Writes the checkpoint from which a killed round is resumed, all or nothing.

    An existing checkpoint of this iteration is replaced, because a killed run may have left it
    incomplete.

    Args:
        runner: Runner.
        loop: Training loop at the end of an iteration.

    Raises:
        StoreError: The file cannot be written.
    """
    share_buffers(unwrap(runner))
    path = Path(runner.work_dir, f'iter_{loop._iter}.pth')
    # save_checkpoint expects the counter inside of an iteration, where it is one behind
    loop._iter -= 1
    try:
        on_main_process(lambda: write_last_checkpoint(runner, path))
    finally:
        loop._iter += 1


def write_last_checkpoint(runner: Runner, path: Path) -> None:
    """Writes a checkpoint and notes it as the one to resume from.

    Args:
        runner: Runner inside of an iteration, where its counter is one behind.
        path: File in the work dir.

    Raises:
        StoreError: The file cannot be written.
    """
    runner.save_checkpoint(runner.work_dir, path.name, by_epoch=False)  # see durable_saves.py
    write_file(path.with_name(LAST), str(path).encode())


def share_buffers(model: nn.Module) -> None:
    """Broadcasts the buffers of rank 0, which are the ones that a checkpoint holds.

    Otherwise each rank would score and validate with its own batch-norm statistics, and a resumed
    run, in which all ranks have those of rank 0, would make other requests than an uninterrupted
    one.
    """
    for buffer in model.buffers():
        broadcast(buffer)


def mend_last_checkpoint(runner: Runner) -> None:
    """Falls back to the newest whole checkpoint if the last one, or the note of it, is not.

    A crash can leave ``last_checkpoint`` empty, without its newest content or full of zeros, and a
    run may have been copied to another place. mmengine would begin such a run at iteration 0
    without a word. To be called before mmengine looks for the checkpoint.

    Args:
        runner: Runner of a training.

    Raises:
        UserError: The checkpoint in ``load_from``, from which the run is to be resumed, is damaged.
    """
    if not runner._resume:
        return
    if runner._load_from is not None:
        check_checkpoint(runner._load_from, 'resume from another one')
        return
    note = Path(runner.work_dir, LAST)
    last = _read_note(note)
    if '://' in last:
        return
    damage = checkpoint_damage(Path(last)) if last else 'is missing'
    if not damage:
        return
    ages = {path: _age(path) for folder in _folders(runner) for path in _checkpoints(folder)}
    whole = {path: age for path, age in ages.items() if age is not None}
    newest = max(whole, key=whole.get, default=None)
    if newest is not None:
        write_file(note, str(newest).encode())
    elif note.exists():
        note.unlink()
    place = 'its start' if newest is None else newest
    text = f'{last or "The last checkpoint"} {damage}: the run resumes from {place}'
    print_log(text, 'current', logging.WARNING)


def _read_note(note: Path) -> str:
    """Path in ``last_checkpoint``; empty if there is none that could be one."""
    if not note.is_file():
        return ''
    text = note.read_bytes().decode(errors='replace').strip()
    return text if text.isprintable() and '\ufffd' not in text else ''


def _folders(runner: Runner) -> list[Path]:
    """Folders in which the checkpoints of a run may be."""
    name = Path(runner.work_dir).name
    outside = [own.out_dir for own in runner.hooks if isinstance(own, CheckpointHook)]
    return [
        Path(runner.work_dir),
        *(Path(folder, name) for folder in outside if folder and '://' not in str(folder)),
    ]


def _checkpoints(folder: Path) -> list[Path]:
    return [*folder.glob('iter_*.pth'), *folder.glob('epoch_*.pth')]


def _age(path: Path) -> tuple[str, int] | None:
    """Time and iteration at which a checkpoint was written, ``None`` if no run can resume from it.

    The times of files do not count: a copy of a folder may have changed them.
    """
    if checkpoint_damage(path):
        return None
    try:
        checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
        meta = checkpoint['meta']
        return (meta['time'], int(meta['iter'])) if 'optimizer' in checkpoint else None
    except Exception as error:  # what torch raises for a file of something else is of many types
        print_log(f'{path} is passed over: {error}', 'current', logging.WARNING)
        return None
