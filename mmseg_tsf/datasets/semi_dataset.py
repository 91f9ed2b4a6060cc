"""Data set of pairs of labelled and unlabelled images."""

from __future__ import annotations

import copy
import logging
import os.path as osp

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.structures import PixelData
from mmseg.registry import DATASETS
from torch.utils.data import Dataset

from ..utils.errors import UserError
from ..utils.seeding import seeded
from .checks import check_images, check_lists, check_masks, check_no_image_twice
from .label_meaning import check_same_labels, without_files
from .manual_checks import check_manual_labels
from .manual_pipeline import check_no_masks_are_read, with_manual_labels
from .mask_counts import MaskCounts, remarks
from .packed_batch import PackedBatch
from .painting import labels_loaded, paints_outside, probe_of
from .transforms import OUTSIDE, LoadManualAnnotations
from .wrappers import check_is_one

LABELLED, UNLABELLED, PASTE, PARTNER = range(4)


@DATASETS.register_module()
class SemiDataset(Dataset):
    """Data set that pairs a labelled with an unlabelled data set, item by item.

    Its length is that of the unlabelled data set; the labelled images come from a permutation that
    is drawn again in every epoch. An item is ``dict(inputs={branch: Tensor},
    data_samples={branch: SegDataSample})`` with the branches ``labelled``, ``unlabelled``, one for
    each of ``views`` and, if enabled, ``paste``. The ground truth of unlabelled samples is 255
    except for ``manual_labels``; their mask files are never opened.

    With :class:`SemiInfiniteSampler` every item is a function of seed and position, so that a
    resumed run sees the same items as an uninterrupted one. Other samplers work, too; the
    randomness then comes from the workers of the loader.

    Args:
        labelled: Config of the labelled data set, which may be a wrapper such as
            ``ConcatDataset``; with ``supervise_manual`` its list may be empty, for a run that asks
            for labels before it trains.
        unlabelled: Config of the unlabelled data set, with the same stock pipeline
            (``LoadAnnotations`` is replaced); ``None`` for supervised training on ``labelled``.
        paste_prob: Probability that the ``paste`` branch of an item holds a second labelled image
            for copy-paste; otherwise it holds an image with label 255 everywhere. ``None`` for no
            such branch.
        paste_pipeline: Pipeline of that second image, with crops of the same size (the pipeline of
            ``labelled``).
        views: Further views of the unlabelled crop by name: transforms applied before
            ``PackSegInputs``, e.g. ``dict(strong=[dict(type='PhotoMetricDistortion')])``.
        check_files: Whether to check every file and labelled mask before training, those of the
            validation too.
        seed: Seed of order and augmentation (that of the sampler).
        manual_labels: Folder of PNGs with the manual labels of unlabelled images, 255 elsewhere,
            named like the images; see ``LoadManualAnnotations``.
        supervise_manual: Whether images with manual labels are used as labelled images, too, so
            that the supervised loss includes those pixels.
        pool_only: Whether items have no unlabelled images, for supervised methods, which use them
            only where they have manual labels.

    Attributes:
        mask_counts: Counts of the classes in the labelled masks; ``None`` if files are not checked.

    Raises:
        UserError: A list, an image or a mask is missing or does not fit.
        UserError: A class id does not mean the same in both data sets.
    """

    def __init__(
        self,
        labelled: dict,
        unlabelled: dict | None = None,
        paste_prob: float | None = None,
        paste_pipeline: list | None = None,
        views: dict[str, list] | None = None,
        check_files: bool = True,
        seed: int | None = None,
        manual_labels: str | None = None,
        supervise_manual: bool = False,
        pool_only: bool = False,
    ) -> None:
        _check_wrappers(labelled, unlabelled, supervise_manual, paste_pipeline)
        check_same_labels(without_files(labelled, 'SemiDataset.labelled'))
        check_lists(labelled, unlabelled, may_be_empty=supervise_manual)
        _check_pool_options(
            unlabelled,
            supervise_manual=supervise_manual,
            pool_only=pool_only,
            manual_labels=manual_labels,
        )
        if paste_prob is not None and not 0 <= paste_prob <= 1:
            raise UserError(f'SemiDataset.paste_prob={paste_prob} must lie in [0, 1]')
        if supervise_manual:
            # mmengine cannot serialise an empty list
            labelled = dict(labelled, serialize_data=False)
        self.labelled: BaseDataset = DATASETS.build(labelled)
        self._paste = self.labelled
        if paste_pipeline is not None:
            self._paste = DATASETS.build(dict(labelled, pipeline=paste_pipeline))
        self.unlabelled: BaseDataset | None = None
        self.manual_loader: LoadManualAnnotations | None = None
        self.seed = seed
        self.paste_prob = paste_prob
        self.pool_only, self.supervise_manual = pool_only, supervise_manual
        self._partly_labelled: BaseDataset | None = None
        self._manual_indices: list[int] = []
        if unlabelled is not None:
            self.unlabelled = DATASETS.build(with_manual_labels(unlabelled))
            check_same_labels(
                {'SemiDataset.labelled': self.labelled, 'SemiDataset.unlabelled': self.unlabelled},
                may_be_unnamed=True,
            )
            check_no_image_twice(self.labelled, self.unlabelled)
            check_no_masks_are_read(self.unlabelled)
            if supervise_manual:
                partly = dict(unlabelled, pipeline=labelled['pipeline'])
                self._partly_labelled = DATASETS.build(with_manual_labels(partly))
                check_no_masks_are_read(self._partly_labelled)
            self.set_manual_labels(manual_labels)
            *steps, self._pack = self.unlabelled.pipeline.transforms
            self.unlabelled.pipeline = Compose(steps)
            self._views = {'unlabelled': Compose([])}
            for name, transforms in (views or {}).items():
                self._views[name] = Compose(transforms)
        self.check_files = check_files
        self.mask_counts: MaskCounts | None = None
        if check_files:
            self._check_files(manual_labels)
        self._mark_places_without_image()

    def _check_files(self, manual_labels: str | None) -> None:
        classes, name = self.metainfo['classes'], 'SemiDataset.labelled'
        self.mask_counts = check_masks(self.labelled, name)
        for remark in remarks(self.mask_counts, classes, name):
            print_log(remark, 'current', logging.WARNING)
        if self.unlabelled is not None:
            check_images(self.unlabelled)
        if manual_labels is not None:
            check_manual_labels(self.unlabelled, self.labelled, self.manual_loader, len(classes))

    @property
    def metainfo(self) -> dict:
        """Classes and palette of the labelled data set."""
        return self.labelled.metainfo

    @property
    def has_labels(self) -> bool:
        """Whether any image can be trained on as labelled now."""
        return len(self.labelled) + len(self._manual_indices) > 0

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the branches of an item."""
        views = tuple(self._views) if self._pairs else ()
        return ('labelled', *views) + (('paste',) if self.paste_prob is not None else ())

    @property
    def _pairs(self) -> bool:
        return self.unlabelled is not None and not self.pool_only

    def set_manual_labels(self, folder: str | None) -> None:
        """Changes the manual labels; loader workers must be restarted afterwards.

        Args:
            folder: Folder of PNGs, see the class; ``None`` for no manual labels.

        Raises:
            UserError: The folder does not exist.
        """
        if folder is not None and not osp.isdir(folder):
            raise UserError(f'SemiDataset.manual_labels={folder} is not a folder')
        for dataset in (self.unlabelled, self._partly_labelled):
            for step in getattr(getattr(dataset, 'pipeline', None), 'transforms', ()):
                if isinstance(step, LoadManualAnnotations):
                    step.folder, step.img_suffix = folder, dataset.img_suffix
                    self.manual_loader = step
        if self._partly_labelled is not None:
            infos = (self.unlabelled.get_data_info(i) for i in range(len(self.unlabelled)))
            self._manual_indices = [
                i for i, info in enumerate(infos) if self.manual_loader.has_labels(info['img_path'])
            ]

    def _mark_places_without_image(self) -> None:
        """Checks what the pipelines paint into empty label maps, see :func:`paints_outside`."""
        if not self.unlabelled:
            return
        steps = self.unlabelled.pipeline.transforms
        probe = probe_of(steps, self.unlabelled.get_data_info(0))
        start = labels_loaded(steps)
        for name, view in self._views.items():
            found = paints_outside([*steps[start:], *view.transforms], probe, name)
            steps[start - 1].marks_outside |= found
        if self._partly_labelled is not None:
            *steps, _ = self._partly_labelled.pipeline.transforms
            paints_outside(steps[labels_loaded(steps) :], probe, 'labelled')

    def __len__(self) -> int:
        return len(self.labelled if self.unlabelled is None else self.unlabelled)

    def __getitem__(self, index: int) -> dict:
        epoch, index = divmod(index, len(self))
        if epoch == 0 or self.seed is None:  # a stock sampler: draw from the worker's generator
            key = (int(np.random.randint(2**31)), int(np.random.randint(2**31)))
        else:
            key = (self.seed, epoch)
        num = len(self.labelled) + len(self._manual_indices)
        order = np.random.default_rng(key).permutation(num)
        item = PackedBatch(inputs={}, data_samples={})
        with seeded(*key, index, LABELLED):
            _add(item, 'labelled', self._load_labelled(int(order[index % num])))
        if self._pairs:
            with seeded(*key, index, UNLABELLED):
                self._add_views(item, index)
        if self.paste_prob is not None:
            with seeded(*key, index, PASTE) as rng:
                _add(item, 'paste', self._paste_source(item, rng))
        return item

    def load_partner(self, index: int, cutmix_class: int, key: tuple[int, ...]) -> dict:
        """Loads an unlabelled image as a partner for adaptive CutMix.

        Args:
            index: Index in the unlabelled pool.
            cutmix_class: Class to be pasted; stored in the data sample.
            key: Seed of the augmentation.

        Returns:
            dict: Item with the branch ``partner`` (and ``partner_<view>`` for further views).
        """
        item = PackedBatch(inputs={}, data_samples={})
        with seeded(self.seed or 0, *key, PARTNER):
            self._add_views(item, index)
        for part in item.values():
            for name in list(part):
                renamed = 'partner' if name == 'unlabelled' else f'partner_{name}'
                part[renamed] = part.pop(name)
        for sample in item['data_samples'].values():
            sample.set_metainfo(dict(cutmix_class=cutmix_class))
        return item

    def _load_labelled(self, index: int) -> dict:
        """Loads a labelled image; higher indices are images with manual labels."""
        if index < len(self.labelled):
            return self.labelled[index]
        return self._partly_labelled[self._manual_indices[index - len(self.labelled)]]

    def _add_views(self, item: dict, index: int) -> None:
        results = self.unlabelled[index]
        for name, change in self._views.items():
            own = change(copy.deepcopy(results) if len(self._views) > 1 else results)
            packed = self._pack(own)
            if OUTSIDE in own:
                outside = torch.from_numpy(own[OUTSIDE] == 255)
                packed['data_samples'].outside = PixelData(data=outside[None])
            packed['data_samples'].set_metainfo(dict(pool_idx=index))
            _add(item, name, packed)

    def _paste_source(self, item: dict, rng: np.random.Generator) -> dict:
        if rng.random() < self.paste_prob:
            return self._paste[int(rng.integers(len(self._paste)))]
        nothing = copy.deepcopy(item['data_samples']['labelled'])
        nothing.gt_sem_seg.data = torch.full_like(nothing.gt_sem_seg.data, 255)
        return dict(inputs=torch.zeros_like(item['inputs']['labelled']), data_samples=nothing)


def _add(item: dict, branch: str, packed: dict) -> None:
    item['inputs'][branch] = packed['inputs']
    item['data_samples'][branch] = packed['data_samples']


def _check_wrappers(
    labelled: dict, unlabelled: dict | None, supervise_manual: bool, paste_pipeline: list | None
) -> None:
    if unlabelled is not None:
        check_is_one(unlabelled, 'SemiDataset.unlabelled', 'the pool is one list of images')
    for used, option in (
        (supervise_manual, 'supervise_manual'),
        (paste_pipeline is not None, 'paste_pipeline'),
    ):
        if used:
            check_is_one(labelled, 'SemiDataset.labelled', f'{option} takes its pipeline')


def _check_pool_options(unlabelled: dict | None, **options: object) -> None:
    for name, value in options.items():
        if value and unlabelled is None:
            raise UserError(f'SemiDataset.{name} needs SemiDataset.unlabelled: give the pool')
