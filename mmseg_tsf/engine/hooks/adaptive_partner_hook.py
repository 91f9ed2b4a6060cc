"""Hook that draws the partners of adaptive CutMix one step ahead in loader workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dataset import pseudo_collate, worker_init_fn
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.utils.data import DataLoader, Dataset

from ...models.mixing.adaptive_cutmix import draw_partners
from ...utils.errors import UserError
from ...utils.runner import unwrap
from ...utils.stopping import worker_init


class _Partners(Dataset):
    """Unlabelled images, indexed by requests ``(class, index, key)``."""

    def __init__(self, dataset) -> None:
        self.dataset = dataset

    def __getitem__(self, request: tuple) -> dict:
        cutmix_class, index, key = request
        return self.dataset.load_partner(index, cutmix_class, key)


class _Requests:
    """Sampler that yields requests in the order in which they were added."""

    def __init__(self) -> None:
        self.queue: deque = deque()

    def __iter__(self) -> Iterator[tuple]:
        while True:
            yield self.queue.popleft()


@HOOKS.register_module()
class AdaptivePartnerHook(Hook):
    """Adds the branch ``partner`` to every batch.

    At the start of step t, the partners of step t + 1 are drawn from the banks as step t - 1 left
    them, so that loader workers decode them while step t computes: the banks are one step stale,
    independent of the number of workers. Every rank draws for all ranks from the same banks;
    pending draws are stored in the checkpoint.

    Args:
        num_workers: Number of loader workers for partners; 0 decodes in the training process.
    """

    priority = 'HIGH'
    adds_branches = ('partner',)

    def __init__(self, num_workers: int = 1) -> None:
        self.num_workers = num_workers
        self._pending: list | None = None
        self._loaded: dict | None = None

    def before_run(self, runner: Runner) -> None:
        """Resizes the class bank before a checkpoint is loaded into it."""
        if isinstance(getattr(runner, '_train_loop', None), dict | None):
            return  # no training
        model = unwrap(runner)
        if not hasattr(model, 'class_bank'):
            raise UserError(
                f'{type(model).__name__} uses no partners: remove AdaptivePartnerHook from '
                'the hooks'
            )
        dataset = runner.train_loop.dataloader.dataset
        if getattr(dataset, 'unlabelled', None) is None:
            raise UserError(
                f'{type(model).__name__} needs unlabelled images: give SemiDataset.unlabelled, or '
                'train SupervisedOnly'
            )
        model.class_bank.resize(len(dataset.unlabelled))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Reads the requests that were pending when the checkpoint was written."""
        self._loaded = checkpoint.get('partner_requests') if runner._resume else None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Stores the pending requests."""
        # the iteration at which a resumed run starts; runner.iter is still one behind here
        start = checkpoint['meta']['iter']
        checkpoint['partner_requests'] = dict(iter=start, pending=self._pending)

    def before_train(self, runner: Runner) -> None:
        """Starts the workers with the partners of the first step."""
        loader = runner.train_loop.dataloader
        self._batch_size = loader.batch_size
        self._snapshot(runner)
        self._pending = self._resumed(runner) or self._draw(runner, runner.iter)
        self._start_workers(loader)

    def after_labels_change(self, runner: Runner) -> None:
        """Decodes the partners of the next step again, with the new labels."""
        self._snapshot(runner)
        self._start_workers(runner.train_loop.dataloader)

    def _start_workers(self, loader: DataLoader) -> None:
        self._requests = _Requests()
        workers = max(w for w in range(self.num_workers + 1) if not w or not self._batch_size % w)
        self._loader = DataLoader(
            _Partners(loader.dataset),
            sampler=self._requests,
            batch_size=self._batch_size // max(workers, 1),
            num_workers=workers,
            # the samples of exactly one step are in flight at any time
            prefetch_factor=1 if workers else None,
            collate_fn=pseudo_collate,
            worker_init_fn=worker_init(_init_worker),
            persistent_workers=False,
        )
        self._push(self._pending)
        self._iterator = iter(self._loader)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Requests the partners of the next step and adds those of this step to the batch."""
        self._wait()
        self._pending = self._draw(runner, runner.iter + 1)
        self._push(self._pending)
        for _ in range(max(self._loader.num_workers, 1)):
            for key, branches in next(self._iterator).items():
                for name, items in branches.items():
                    data_batch[key].setdefault(name, []).extend(items)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Copies the banks for the draws of the step after the next."""
        self._snapshot(runner)

    def after_train(self, runner: Runner) -> None:
        """Stops the workers."""
        self._iterator = self._loader = None

    def _snapshot(self, runner: Runner) -> None:
        model = unwrap(runner)
        banks = model.confidence_bank.confidence, model.class_bank.presence
        on_gpu = banks[0].is_cuda
        self._banks = [
            torch.empty_like(bank, device='cpu', pin_memory=on_gpu).copy_(bank, non_blocking=True)
            for bank in banks
        ]
        self._event = torch.cuda.Event() if on_gpu else None
        if on_gpu:
            self._event.record()

    def _wait(self) -> None:
        if self._event is not None:
            self._event.synchronize()

    def _resumed(self, runner: Runner) -> list | None:
        loaded = self._loaded or {}
        pending = loaded.get('pending')
        _, world_size = get_dist_info()
        fits = pending and len(pending) == world_size and len(pending[0]) == self._batch_size
        return pending if fits and loaded['iter'] == runner.iter else None

    def _draw(self, runner: Runner, iteration: int) -> list[list[tuple]]:
        """Requests of a step for every rank: ``[rank][item] = (class, index, key)``."""
        self._wait()
        confidence, presence = (bank.numpy() for bank in self._banks)
        rng = np.random.default_rng((runner.seed or 0, iteration))
        _, world_size = get_dist_info()
        drawn = draw_partners(confidence, presence, world_size * self._batch_size, rng)
        requests = [(cls, index, (iteration, i)) for i, (cls, index) in enumerate(drawn)]
        size = self._batch_size
        return [requests[rank * size : (rank + 1) * size] for rank in range(world_size)]

    def _push(self, requests: list[list[tuple]]) -> None:
        rank, _ = get_dist_info()
        self._requests.queue.extend(requests[rank])


def _init_worker(worker_id: int) -> None:
    worker_init_fn(worker_id, num_workers=1, rank=0, seed=0, disable_subprocess_warning=True)
