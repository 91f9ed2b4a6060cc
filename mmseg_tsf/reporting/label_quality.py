"""How right the labels are that a finished run has of its pool: those asked, and those believed."""

from __future__ import annotations

import copy
import json
import os.path as osp
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from torch import Tensor

from ..active_learning.campaign.builder import test_pipeline
from ..active_learning.pool.pool import Pool
from ..active_learning.store.round_store import RoundStore
from ..datasets.mask_reading import MaskReader
from ..evaluation.pseudo_label_quality import accuracy, mean_iou, share
from ..models.segmentors.fitting import load_trained
from ..models.utils.labels import IGNORE_INDEX
from ..utils.checkpoint_files import check_checkpoint
from ..utils.config_data import check_types
from ..utils.errors import UserError
from ..utils.files import write_file
from .beliefs import Belief, believe, unnoticed
from .run_reader import read_config, read_info, read_json

FILE_NAME = 'label_quality.json'
Track = Callable[[Iterable[int]], Iterable[int]]


def read_pool_quality(folder: Path) -> dict | None:
    """Figures of :func:`measure_pool_labels` that are kept in a run's folder.

    Returns:
        dict | None: ``None`` if there are none of the run's last checkpoint.
    """
    path = folder / FILE_NAME
    found = read_json(path, 'delete it to measure anew') if path.is_file() else {}
    return found if found.get('checkpoint') == _last_checkpoint(folder) else None


def has_hidden_masks(cfg: Config) -> bool:
    """Whether the masks of the pool are there, by the first one."""
    source = dict(copy.deepcopy(cfg.train_dataloader.dataset.unlabelled), lazy_init=True)
    infos = DATASETS.build(dict(source, pipeline=[])).load_data_list()
    return bool(infos) and osp.isfile(infos[0].get('seg_map_path') or '')


def measure_pool_labels(folder: Path, track: Track = iter) -> dict:
    """Compares the labels of every pool image with its hidden mask, and keeps the figures.

    The labels of an image are what people have said in the asked pixels; elsewhere they are what
    the last checkpoint believes, see :func:`~mmseg_tsf.reporting.beliefs.believe`: the prediction,
    or the pseudo-labels with their refinement. The masks serve this measurement alone.

    Args:
        folder: Folder of a finished run.
        track: Function that shows how far an iteration is.

    Returns:
        dict: Percent: ``mIoU`` and ``accuracy`` of all these labels, ``mIoU.unasked`` and
        ``accuracy.unasked`` of those outside of what was asked, and the ``asked`` pixels; with a
        refinement ``mIoU.unrefined`` of all labels before it, and the ``dropped`` pixels.
        Pixels at the masks' own resolution; dropped labels are in no mIoU or accuracy, void pixels
        of the masks are in no figure.

    Raises:
        UserError: The run is unfinished, or a mask is missing.
    """
    checkpoint = folder / _last_checkpoint(folder)
    if not checkpoint.is_file():
        raise UserError(f'{folder} has no checkpoint of its end: let the run finish')
    cfg = read_config(folder, read_info(folder)['config'])
    if cfg is None:
        raise UserError(f'{folder} does not hold the config of its run: copy it from there')
    check_types(cfg.to_dict(), str(folder))
    init_default_scope('mmseg')
    source = cfg.train_dataloader.dataset.unlabelled
    pipeline = cfg.train_cfg.get('pool', {}).get('pipeline') or test_pipeline(cfg)
    pool = Pool(_build(source, pipeline), RoundStore(folder / 'rounds')).listed()
    masks, reader = _build(source, []), MaskReader(source.get('pipeline') or ())
    model = MODELS.build(cfg.model)
    check_checkpoint(checkpoint)
    load_trained(model, str(checkpoint))
    model.to('cuda' if torch.cuda.is_available() else 'cpu')
    quality = PoolLabelQuality(model.num_classes)
    with unnoticed(model):
        for i in track(range(len(pool))):
            image, info = pool.image(i), masks.get_data_info(i)
            if not osp.isfile(info['seg_map_path']):
                raise UserError(
                    f'{info["seg_map_path"]} is missing: labels are measured by the masks of the '
                    'pool'
                )
            truth = torch.from_numpy(np.asarray(reader.class_ids(info), np.int64))
            quality.update(believe(model, pool, image), truth, image.manual, image.asked)
    figures = dict(checkpoint=checkpoint.name, images=len(pool), **quality.compute())
    write_file(folder / FILE_NAME, (json.dumps(figures, indent=2) + '\n').encode())
    return figures


class PoolLabelQuality:
    """Counts the labels of pool images against their masks.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.confusion = dict.fromkeys(('all', 'unasked', 'unrefined'), 0)
        self.asked = self.pixels = 0
        self.is_refined = False

    def update(
        self,
        belief: Belief,
        truth: Tensor,
        manual: np.ndarray | None = None,
        asked: np.ndarray | None = None,
    ) -> None:
        """Adds an image.

        Args:
            belief: What the network believes, ``(h, w)`` of any size.
            truth: ``(H, W)`` int64 hidden mask.
            manual: ``(H, W)`` uint8 labels of people, 255 elsewhere; ``None`` for none.
            asked: ``(H, W)`` bool pixels that they were asked; ``None`` for none.
        """
        counts = truth < self.num_classes
        asked = torch.zeros_like(counts) if asked is None else torch.from_numpy(asked)
        known = torch.zeros_like(counts)
        if manual is not None:
            manual = torch.from_numpy(manual).long()
            known = manual != IGNORE_INDEX
        self.is_refined |= belief.refined is not None
        refined = belief.pseudo if belief.refined is None else belief.refined
        for name, believed in (('all', refined), ('unrefined', belief.pseudo)):
            labels = _resize(believed, truth.shape)
            labels = labels if manual is None else torch.where(known, manual, labels)
            self._add(name, labels, truth, counts)
            if name == 'all':
                self._add('unasked', labels, truth, counts & ~asked)
        self.asked += int((asked & counts).sum())
        self.pixels += int(counts.sum())

    def _add(self, name: str, labels: Tensor, truth: Tensor, where: Tensor) -> None:
        size = self.num_classes + 1  # the last column: no label
        index = (truth * size + labels.clamp(max=self.num_classes))[where]
        found = torch.bincount(index, minlength=self.num_classes * size)
        self.confusion[name] = self.confusion[name] + found.view(self.num_classes, size)

    def compute(self) -> dict[str, float]:
        """Figures in percent, see :func:`measure_pool_labels`."""
        every, unasked = self.confusion['all'], self.confusion['unasked']
        figures = {
            'mIoU': mean_iou(every),
            'accuracy': accuracy(every),
            'mIoU.unasked': mean_iou(unasked),
            'accuracy.unasked': accuracy(unasked),
            'asked': 100 * self.asked / self.pixels,
        }
        if self.is_refined:
            figures['mIoU.unrefined'] = mean_iou(self.confusion['unrefined'])
            figures['dropped'] = share(every[:, -1].sum(), every.sum())
        return figures


def _resize(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Class ids ``(h, w)`` at another size, by the nearest pixel."""
    return F.interpolate(labels[None, None].double(), tuple(size), mode='nearest')[0, 0].long()


def _build(source: dict, pipeline: list[dict]) -> object:
    return DATASETS.build(dict(copy.deepcopy(source), pipeline=pipeline))


def _last_checkpoint(folder: Path) -> str:
    """Name of the checkpoint of the end of a run."""
    return f'iter_{read_info(folder).get("finished_iters")}.pth'
