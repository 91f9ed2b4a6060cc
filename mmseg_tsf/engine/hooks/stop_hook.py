"""Checkpoint and end of a training that a signal wants to end."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from ...utils.files import write_file
from ...utils.main_process import on_main_process
from ...utils.settings import dist_timeout
from ...utils.stopping import Stopped, stop_signals, worker_init
from ..loops.checkpoints import write_last_checkpoint

NOTE = 'stopped_checkpoint'
"""File that names the checkpoint of the last stop, which the next stop deletes."""


class StopHook(Hook):
    """Writes a checkpoint at the end of the iteration and ends the training after a signal.

    Works inside of :func:`~mmseg_tsf.utils.stopping.stopping_gracefully` and does nothing
    elsewhere. All ranks stop after the same iteration, whichever of them gets the signal.
    ``SemiHook`` adds this hook to a run.
    """

    priority = 'LOWEST'  # after the schedules were stepped and a checkpoint may have been written

    def before_train(self, runner: Runner) -> None:
        """Begins to listen, before the workers of the loaders start."""
        self.signals, self._group = stop_signals(), None
        if self.signals is None:
            return
        self.signals.listen()
        for loop in (runner.train_loop, runner.val_loop):
            loader = getattr(loop, 'dataloader', None)
            if isinstance(loader, DataLoader):
                loader.worker_init_fn = worker_init(loader.worker_init_fn)
        if get_world_size() > 1 and dist.get_backend() != 'gloo':
            # the flag lies on the host: asking for it must not wait for the GPU
            self._group = dist.new_group(backend='gloo', timeout=dist_timeout(runner.cfg))

    def after_train(self, runner: Runner) -> None:
        """Stops listening."""
        if self.signals is not None:
            self.signals.restore()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Ends the training if any rank has got a signal.

        Raises:
            Stopped: The checkpoint is written.
        """
        if self.signals is None:
            return
        number = self._agree(self.signals.number)
        if not number or self.is_last_train_iter(runner):
            return
        name = signal.Signals(number).name
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            text = f'{name}: stopped in epoch {runner.epoch + 1}; --resume begins this epoch anew'
        else:
            path = on_main_process(lambda: self._save(runner))
            text = (
                f'{name}: stopped after iteration {runner.iter + 1}; --resume goes on from {path}'
            )
        print_log(text, 'current', logging.WARNING)
        raise Stopped(text, number)

    def _agree(self, number: int) -> int:
        """Largest number of a signal on any rank."""
        if get_world_size() == 1:
            return number
        numbers = torch.tensor([number])
        dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self._group)
        return int(numbers)

    def _save(self, runner: Runner) -> Path:
        """Writes the checkpoint, unless there is one of now, and deletes that of the last stop.

        ``CheckpointHook`` does not count it, so the state is that of a run that was not stopped.
        """
        path, note = (Path(runner.work_dir, n) for n in (f'iter_{runner.iter + 1}.pth', NOTE))
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook) and hook.last_ckpt == str(path):
                return path
        of_others = path.exists() or runner.iter + 1 in getattr(runner.train_loop, 'boundaries', ())
        former = note.read_text(errors='replace').strip() if note.is_file() else ''
        write_last_checkpoint(runner, path)
        if former.startswith('iter_') and former != path.name:
            Path(runner.work_dir, Path(former).name).unlink(missing_ok=True)
        write_file(note, b'' if of_others else path.name.encode())
        return path
