"""A trained model beside the hidden masks of its unlabelled images, for analysis only."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from torch import Tensor

from ..datasets.checks import check_orientations
from ..models.refinement.label_refinement import TAPS
from ..models.segmentors.fitting import load_trained
from ..models.segmentors.semi_base import SemiSegmentor
from ..models.utils.labels import IGNORE_INDEX, ground_truth
from ..utils.errors import UserError
from ..utils.settings import kind_name


def load_with_hidden_masks(cfg: Config, checkpoint: str) -> tuple[SemiSegmentor, object]:
    """The trained model, in evaluation mode, and its unlabelled images with their masks.

    Args:
        cfg: A training config.
        checkpoint: Path of a checkpoint of it.

    Returns:
        tuple: Model, and a data set, see :func:`with_masks`.

    Raises:
        UserError: The config has no unlabelled images, or the checkpoint lacks weights.
    """
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    load_trained(model, checkpoint)
    model.to('cuda' if torch.cuda.is_available() else 'cpu').eval()
    return model, with_masks(cfg, 'unlabelled')


def with_masks(cfg: Config, branch: str) -> object:
    """The images of a branch with the pipeline of the test data, masks resized with them.

    Args:
        cfg: A training config.
        branch: ``'labelled'`` or ``'unlabelled'``.

    Raises:
        UserError: The config has no such images.
    """
    source = copy.deepcopy(cfg.train_dataloader.dataset[branch])
    if source is None:
        raise UserError(f'{cfg.filename} has no {branch} images to measure on')
    pipeline = copy.deepcopy(cfg.test_dataloader.dataset.pipeline)
    kinds = [kind_name(step) for step in pipeline]
    pipeline.insert(1, pipeline.pop(kinds.index('LoadAnnotations')))  # resized with the image
    source.pipeline = pipeline
    dataset = DATASETS.build(source)
    check_orientations(dataset)
    return dataset


def load_image(model: SemiSegmentor, dataset, index: int) -> tuple[Tensor, Tensor, Tensor]:
    """An image for a network, and what is known of it.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Preprocessed image ``(1, 3, H, W)``; hidden ground truth
        ``(1, H, W)`` int64, 255 where the preprocessor pads; ``(1, H, W)`` bool, not set there.
    """
    item = dataset[index]
    batch = dict(inputs=[item['inputs']], data_samples=[item['data_samples']])
    data = model.data_preprocessor(batch, False)
    truth = ground_truth(data['data_samples'])
    meta = data['data_samples'][0].metainfo
    left, right, top, bottom = padding = meta.get('img_padding_size', (0, 0, 0, 0))
    height, width = data['inputs'].shape[2:]
    size = height - top - bottom, width - left - right
    truth = F.interpolate(truth[:, None].float(), size).squeeze(1).long()
    valid = F.pad(torch.ones_like(truth, dtype=torch.bool), padding, value=False)
    return data['inputs'], F.pad(truth, padding, value=IGNORE_INDEX), valid


def taps_of(model: SemiSegmentor) -> tuple[str, ...]:
    """Module paths of F1 and F2: those of the model's refinement, or DeepLabV3+'s."""
    return TAPS if model.refinement is None else model.refinement.taps
