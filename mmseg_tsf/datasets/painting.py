"""What a pipeline paints into label maps that nobody has labelled."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import RandomChoiceResize, RandomResize
from mmseg.datasets.transforms import PhotoMetricDistortion, RandomCrop, RandomFlip

from ..models.utils.labels import IGNORE_INDEX
from ..utils.errors import UserError
from ..utils.seeding import seeded
from .image_reading import ImageReader
from .manual_pipeline import all_transforms
from .transforms import OUTSIDE, LoadEmptyAnnotations, RandomGaussianBlur, SparseLabelResize

QUIET = (
    PhotoMetricDistortion,
    RandomChoiceResize,
    RandomCrop,
    RandomFlip,
    RandomGaussianBlur,
    RandomResize,
    SparseLabelResize,
)
"""Transforms that paint nothing; pipelines of these alone need no run."""
SEEDS = 3
"""Runs with the pipeline's own randomness; as many follow in which all transforms take place."""
REMEDIES = dict(
    seg_pad_val='set its seg_pad_val=255',
    seg_fill_in='set its seg_fill_in=255, or leave it out',
    Pad='take it out and set data_preprocessor.size, which pads as well',
)


def paints_outside(steps: Sequence, info: dict, branch: str) -> bool:
    """Runs a pipeline on maps without labels, and tells whether it shows places without an image.

    Such places, the corners beside a turned image for instance, must stay 255, or they count as
    labelled by people; and the network must not label them, so they have to be marked.

    Args:
        steps: Transforms without the loaders of image and labels and without the packing.
        info: Entry of the data set with ``img``, see :func:`probe_of`.
        branch: Name of the pipeline in messages.

    Returns:
        bool: Whether the map ``OUTSIDE``, which is 255 there, has to be carried along.

    Raises:
        UserError: A transform paints another value than 255, or paints only the label map and
            not the maps beside it, so that the place cannot be marked; the message names it.
    """
    if all(type(step) in QUIET for step in steps):
        return False
    always = copy.deepcopy(list(steps))
    for step in always:
        for inner in all_transforms(step):
            if isinstance(getattr(inner, 'prob', None), (int, float)):
                inner.prob = 1.0
    found = False
    for seed in range(2 * SEEDS):
        with seeded(seed):
            _run(steps if seed < SEEDS else always, info, IGNORE_INDEX, branch)
        with seeded(seed):
            found |= _run(steps if seed < SEEDS else always, info, 0, branch)
    return found


def labels_loaded(steps: Sequence) -> int:
    """Number of the first transforms of a pipeline, up to the loader of labels.

    Raises:
        UserError: There is none, or it fills label maps with a class.
    """
    for number, step in enumerate(steps, start=1):
        if isinstance(step, LoadEmptyAnnotations):
            if step.ignore_index != IGNORE_INDEX:
                raise UserError(
                    f'{_name(step)}.ignore_index={step.ignore_index} of the unlabelled pipeline '
                    'counts as a label that people gave: leave it at 255'
                )
            return number
    raise UserError(
        "the pipeline of SemiDataset.unlabelled has no dict(type='LoadAnnotations'): add it behind "
        'the loader of images, as in the labelled pipeline; masks are not read'
    )


def probe_of(dataset_steps: Sequence, info: dict) -> dict:
    """Results of the loader of a pipeline for one image.

    Raises:
        UserError: The image cannot be read.
    """
    image = ImageReader(dataset_steps).pixels(info)
    size = image.shape[:2]
    return dict(info, img=image, img_shape=size, ori_shape=size)


def _run(steps: Sequence, info: dict, value: int, branch: str) -> bool:
    """Whether a run on a label map of one value leaves the mark of a place without an image."""
    size = info['img'].shape[:2]
    results = copy.deepcopy(info)
    results['gt_seg_map'] = np.full(size, value, np.uint8)
    results[OUTSIDE] = np.zeros(size, np.uint8)
    results['seg_fields'] = ['gt_seg_map', OUTSIDE]
    for step in steps:
        results = step(results)
        if results is None:
            return False
        labels, outside = results['gt_seg_map'], results[OUTSIDE]
        foreign = set(np.unique(labels).tolist()) - {value, IGNORE_INDEX}
        if value == IGNORE_INDEX and foreign:
            raise UserError(
                f'the {branch} pipeline has a {_name(step)}, which paints {min(foreign)} into the '
                'label maps of images that nobody has labelled, as if people had given it: '
                f'{_remedy(step, "let it paint 255")}'
            )
        if value == 0 and not (labels.shape == outside.shape and (labels == outside).all()):
            raise UserError(
                f'the {branch} pipeline has a {_name(step)}, and a pseudo-label where it shows no '
                'image cannot be told from one on an image: '
                f'{_remedy(step, "take it out, or let it treat all seg_fields alike")}'
            )
    return bool(results[OUTSIDE].any())


def _name(step: object) -> str:
    return type(step).__name__


def _remedy(step: object, default: str) -> str:
    for inner in all_transforms(step):
        for name, remedy in REMEDIES.items():
            if getattr(inner, name, IGNORE_INDEX) not in (IGNORE_INDEX, None):
                return remedy
    return REMEDIES.get(_name(step), default)
