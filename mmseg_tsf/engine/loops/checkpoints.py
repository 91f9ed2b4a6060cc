"""Checkpoints at rounds, from which a killed run is resumed."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

from mmengine.dist import broadcast
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from ...utils.errors import explain_disk_errors
from ...utils.files import aside, move_into_place, write_file
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
    path = _at(runner, loop._iter)
    # save_checkpoint expects the counter inside of an iteration, where it is one behind
    loop._iter -= 1
    try:
        on_main_process(lambda: _write(runner, path))
    finally:
        loop._iter += 1


def share_buffers(model: nn.Module) -> None:
    """Broadcasts the buffers of rank 0, which are the ones that a checkpoint holds.

    Otherwise each rank would score and validate with its own batch-norm statistics, and a resumed
    run, in which all ranks have those of rank 0, would make other requests than an uninterrupted
    one.
    """
    for buffer in model.buffers():
        broadcast(buffer)


def mend_last_checkpoint(runner: Runner) -> None:
    """Falls back to the newest complete checkpoint if the last one is incomplete or missing.

    mmengine deletes old checkpoints before it writes a new one, and empties ``last_checkpoint``
    before it writes the new name: a run that was killed in between, or met a full disk, could not
    be resumed.
    """
    note = Path(runner.work_dir, LAST)
    if not runner._resume or runner._load_from is not None or not note.is_file():
        return
    last = note.read_text().strip()
    if '://' in last or (last and zipfile.is_zipfile(last)):
        return
    whole = filter(zipfile.is_zipfile, Path(runner.work_dir).glob('iter_*.pth'))
    newest = max(whole, key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is None:
        note.unlink()
    else:
        write_file(note, str(newest).encode())
    state = 'incomplete' if last and Path(last).exists() else 'missing'
    text = f'{last or "The last checkpoint"} is {state}: the run resumes from'
    print_log(f'{text} {newest or "its start"}', 'current', logging.WARNING)


def _at(runner: Runner, iteration: int) -> Path:
    return Path(runner.work_dir, f'iter_{iteration}.pth')


def _write(runner: Runner, path: Path) -> None:
    temporary = aside(path)
    with explain_disk_errors(path):
        try:
            runner.save_checkpoint(runner.work_dir, temporary.name, by_epoch=False)
            move_into_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    write_file(path.with_name(LAST), str(path).encode())
