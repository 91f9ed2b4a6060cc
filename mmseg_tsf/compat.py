"""Patches that make the two OpenMMLab stacks behave alike; each says when it can be dropped."""

from __future__ import annotations

import functools
import inspect
import itertools
import os.path as osp

import torch
from mmengine.runner import checkpoint, loops
from mmseg.engine.optimizers import LearningRateDecayOptimizerConstructor
from mmseg.models.decode_heads import decode_head
from mmseg.models.losses import cross_entropy_loss

from .models.utils.labels import hard_labels
from .utils.checkpoint_reading import CAN_RESTRICT, read_checkpoint, read_url
from .utils.settings import dist_timeout


def apply() -> None:
    """Applies every patch once; called by ``import mmseg_tsf``."""
    read_checkpoints_as_data()
    make_resume_skip_by_sampler()
    compute_accuracy_without_sync()
    average_class_weights_over_labels()
    decay_rates_by_layer_in_every_network()


def read_checkpoints_as_data() -> None:
    """Makes mmengine read checkpoints without running code from them.

    Where a checkpoint holds unknown objects, the maintained fork reads it again and trusts it, and
    downloads are trusted on both stacks. mmengine 0.10.7 cannot read its own files with
    torch >= 2.6. To be dropped when both read files as ``read_checkpoint`` does.
    """
    if CAN_RESTRICT:
        checkpoint.CheckpointLoader.register_scheme('', _load_from_local, force=True)
        checkpoint.load_url = read_url


def _load_from_local(filename: str, map_location: object) -> dict:
    return read_checkpoint(osp.expanduser(filename), map_location)


def make_resume_skip_by_sampler() -> None:
    """Resumes a training without reading the skipped batches.

    mmengine 0.10.7 starts the loader's workers when the loop is built and then reads every
    skipped batch; the maintained fork calls the sampler's ``skip``. To be dropped when mmengine
    does so, too.
    """
    stock = loops._InfiniteDataloaderIterator
    if hasattr(stock, 'skip_iter'):
        return

    class _LazyIterator(stock):
        """Skips by the sampler when ``next`` is called before training's first step."""

        def __init__(self, dataloader) -> None:
            self._dataloader = dataloader
            self._iterator = None
            self._epoch = 0
            self._skipped = 0

        def skip(self) -> None:
            self._skipped += 1

        def __next__(self):
            if self._iterator is None:
                if self._skipped:
                    self._dataloader.sampler.skip(self._skipped * self._dataloader.batch_size)
                self._iterator = iter(self._dataloader)
            return super().__next__()

    stock_run = loops.IterBasedTrainLoop.run

    def run(self):
        iterator = self.dataloader_iterator
        skippable = hasattr(getattr(self.dataloader, 'sampler', None), 'skip')
        if self._iter == 0 or not skippable:
            return stock_run(self)
        # the stock loop calls next() once per finished iteration before it trains
        self.dataloader_iterator = itertools.chain(
            itertools.repeat(None, self._iter), _after_skip(iterator, self._iter)
        )
        return stock_run(self)

    loops._InfiniteDataloaderIterator = _LazyIterator
    loops.IterBasedTrainLoop.run = run


def _after_skip(iterator, num_iters: int):
    for _ in range(num_iters):
        iterator.skip()
    while True:
        yield next(iterator)


def compute_accuracy_without_sync() -> None:
    """Computes the ``acc_seg`` that heads log without making the host wait for the GPU.

    MMSeg indexes by a mask, which needs the number of its pixels on the host once per head and
    step, and sorts all classes to find the largest. The values are the same. To be dropped when
    MMSeg's ``accuracy`` no longer synchronises.
    """
    stock = decode_head.accuracy
    if getattr(stock, 'works_without_sync', False):
        return

    def accuracy(pred, target, topk=1, thresh=None, ignore_index=None):
        if topk != 1 or thresh is not None or ignore_index is None or pred.shape[1] == 1:
            return stock(pred, target, topk, thresh, ignore_index)
        valid = target != ignore_index
        correct = (hard_labels(pred) == target) & valid
        return 100.0 * correct.sum().view(1) / valid.sum().clamp(min=1)

    accuracy.works_without_sync = True
    decode_head.accuracy = accuracy


def average_class_weights_over_labels() -> None:
    """Lets ``CrossEntropyLoss`` take class weights where labels are void.

    MMSeg 1.2.2 looks up the weight of class 255; the fork drops void pixels by a mask, which makes
    the host wait for the GPU, and fails with ``avg_non_ignore``. The mean is that of
    ``torch.nn.functional.cross_entropy``. To be dropped when MMSeg leaves the mean to torch.
    """
    stock = cross_entropy_loss.cross_entropy
    if getattr(stock, 'averages_over_labels', False):
        return

    @functools.wraps(stock)
    def cross_entropy(pred, label, *args, **kwargs):
        given = signature.bind(pred, label, *args, **kwargs)
        given.apply_defaults()
        options = given.arguments
        weights = options['class_weight']
        if weights is not None and options['avg_factor'] is None and options['reduction'] == 'mean':
            valid = label != options['ignore_index']
            used = weights.float()[label.where(valid, torch.zeros_like(label))]
            options['avg_factor'] = (used * valid).sum()
        return stock(*given.args, **given.kwargs)

    signature = inspect.signature(stock)
    cross_entropy.averages_over_labels = True
    cross_entropy_loss.cross_entropy = cross_entropy


def decay_rates_by_layer_in_every_network() -> None:
    """Lets MMSeg's constructors of rates by layer look into the networks of a method.

    They ask a model for its ``backbone`` and go by the names of its parameters, so each network
    that learns is handed to them as a segmentor of its own. What belongs to no network, such as
    the heads of a refinement, has the base rate, as decode heads have. To be dropped when MMSeg's
    constructors find backbones inside of models.
    """
    stock = LearningRateDecayOptimizerConstructor.add_params
    if getattr(stock, 'looks_into_networks', False):
        return

    @functools.wraps(stock)
    def add_params(self, params, module, **kwargs):
        learners = getattr(module, 'learners', ())
        if not learners:
            stock(self, params, module, **kwargs)
            return
        for learner in learners:
            groups = []
            stock(self, groups, getattr(module, learner), **kwargs)
            for group in groups:
                group['param_names'] = [f'{learner}.{name}' for name in group['param_names']]
            params += groups
        seen = {name for group in params for name in group['param_names']}
        rest = [(n, p) for n, p in module.named_parameters() if p.requires_grad and n not in seen]
        for decay in (self.base_wd, 0.0):
            own = [pair for pair in rest if (pair[1].ndim > 1) == (decay is self.base_wd)]
            if own:
                names, tensors = (list(part) for part in zip(*own, strict=True))
                same = dict(lr=self.base_lr, lr_scale=1.0, weight_decay=decay)
                params.append(dict(same, params=tensors, param_names=names))

    add_params.looks_into_networks = True
    LearningRateDecayOptimizerConstructor.add_params = add_params


def start_cpu_process_group(cfg) -> None:
    """Makes ``--launcher pytorch`` work without a GPU, on gloo.

    mmengine's launcher asks CUDA for a device and passes DDP a device id; batch norm over ranks
    exists on GPUs only, so ``SyncBN`` becomes ``BN``. To be dropped when mmengine launches on CPUs.

    Args:
        cfg: Whole config; changed in place.
    """
    wrapper = cfg.get('model_wrapper_cfg')
    if wrapper is not None and 'find_unused_parameters' in cfg:  # mmengine takes one of both
        wrapper.setdefault('find_unused_parameters', cfg.find_unused_parameters)
    if cfg.launcher != 'pytorch' or torch.cuda.is_available():
        return
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo', timeout=dist_timeout(cfg))
    if wrapper is None:
        unused = cfg.get('find_unused_parameters', False)
        wrapper = dict(broadcast_buffers=False, find_unused_parameters=unused)
    cfg.model_wrapper_cfg = dict({'type': 'MMDistributedDataParallel', **wrapper}, device_ids=None)
    cfg.model = _without_sync_bn(cfg.model)


def _without_sync_bn(cfg):
    if isinstance(cfg, dict):
        items = {key: _without_sync_bn(value) for key, value in cfg.items()}
        return {**items, 'type': 'BN'} if items.get('type') == 'SyncBN' else items
    if isinstance(cfg, (list, tuple)):
        return type(cfg)(_without_sync_bn(value) for value in cfg)
    return cfg
