"""The checkpoints at rounds, from which a killed run goes on."""

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
"""File in which mmengine notes what to resume from."""


def boundary_checkpoint(runner: Runner, loop) -> None:
    """Writes the checkpoint from which a killed round is resumed, all or nothing.

    One of this iteration is replaced even if it is there: a killed run may have left a part of it.

    Raises:
        StoreError: It can not be written; names the file and the mend.
    """
    share_buffers(unwrap(runner))
    path = _at(runner, loop._iter)
    # save_checkpoint counts from inside of an iteration, where the counter is one behind
    loop._iter -= 1
    try:
        on_main_process(lambda: _write(runner, path))
    finally:
        loop._iter += 1


def share_buffers(model: nn.Module) -> None:
    """Gives every rank rank 0's buffers, the ones that a checkpoint holds.

    Else ranks would score and validate with batch-norm statistics of their own, and a resumed
    run, which has rank 0's everywhere, would ask for something else than one that was not killed.
    """
    for buffer in model.buffers():
        broadcast(buffer)


def mend_last_checkpoint(runner: Runner) -> None:
    """Resumes from the newest whole checkpoint where the one noted as the last is broken or gone.

    mmengine deletes old checkpoints before it writes a new one, and empties the note before it
    writes the new name: killed there, or on a full disk, a run would find nothing to go on with.
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
    what = 'no whole checkpoint' if last and Path(last).exists() else 'gone'
    text = f'{last or "The last checkpoint"} is {what}: the run goes on from'
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
