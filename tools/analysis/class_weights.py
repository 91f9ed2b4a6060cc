"""Prints weights for the classes of a labelled list, for ``loss_decode.class_weight``.

    python tools/analysis/class_weights.py configs/tsf/<config>.py

The frequency of a class is its share of the pixels of the images that contain it. Its weight is the
median frequency divided by its own frequency (Eigen and Fergus 2015), raised to a power: 1 balances
fully, 0.5 (the default) by half, 0 not at all. A class in no labelled image gets weight 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

import mmseg_tsf  # noqa: F401
from mmseg_tsf.datasets.mask_reading import MaskReader
from mmseg_tsf.datasets.wrappers import leaves
from mmseg_tsf.engine.preflight.config_check import load_config
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError


def median_frequency_weights(counts: np.ndarray, power: float) -> np.ndarray:
    """Weights ``(K,)`` of K classes from the pixel counts ``(N, K)`` of N images."""
    shown = counts > 0
    of_those = (shown * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    frequency = counts.sum(axis=0) / np.maximum(of_those, 1)
    known = frequency > 0
    weights = np.ones(counts.shape[1])
    weights[known] = (np.median(frequency[known]) / frequency[known]) ** power
    return weights


def count_pixels(dataset: BaseDataset) -> Iterator[np.ndarray]:
    """``(256,)`` pixels of each class id in each mask of a data set or stock wrapper."""
    for _, leaf in leaves(dataset):
        reader = MaskReader(leaf.pipeline.transforms)
        for i in range(len(leaf)):
            yield np.bincount(reader.class_ids(leaf.get_data_info(i)).ravel(), minlength=256)


def main(argv: list[str] | None = None) -> list[float]:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.share('config')
    parser.add_argument(
        '--power', type=float, default=0.5, help='degree of balancing, from 0 to 1 (%(default)s)'
    )
    args = parser.parse_args(argv)
    cfg = load_config(args.config, needed=('train_dataloader.dataset',))
    init_default_scope('mmseg')
    try:
        dataset = DATASETS.build(cfg.train_dataloader.dataset.labelled)
    except (AssertionError, OSError, ValueError) as error:  # MMSegmentation cannot read the list
        text = f'the labelled images of {args.config} cannot be listed: {error}'
        raise UserError(text) from None
    num_classes = len(dataset.metainfo['classes'])
    counts = np.stack([pixels[:num_classes] for pixels in count_pixels(dataset)])
    weights = [round(float(w), 2) for w in median_frequency_weights(counts, args.power)]
    for name, weight in zip(dataset.metainfo['classes'], weights, strict=True):
        print(f'{name:20} {weight:.2f}')
    print(f'class_weight={weights}')
    return weights


if __name__ == '__main__':
    run_tool(main)
