"""Prints weights for the classes of a labelled list, for ``loss_decode.class_weight``.

    python tools/analysis/class_weights.py configs/tsf/<config>.py

A class's frequency is its share of the pixels of the images that show it; its weight is the median
frequency over its own (Eigen and Fergus 2015), to a power: 1 balances in full, 0.5 (the default)
half-way, 0 not at all. A class that no labelled image shows gets 1.
"""

from __future__ import annotations

import argparse

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

import mmseg_tsf  # noqa: F401
from mmseg_tsf.utils.cli import existing_file
from mmseg_tsf.utils.cli import run_tool


def median_frequency_weights(counts: np.ndarray, power: float) -> np.ndarray:
    """Weights ``(K,)`` from pixel counts ``(N, K)`` of N images."""
    shown = counts > 0
    of_those = (shown * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    frequency = counts.sum(axis=0) / np.maximum(of_those, 1)
    known = frequency > 0
    weights = np.ones(counts.shape[1])
    weights[known] = (np.median(frequency[known]) / frequency[known]) ** power
    return weights


def main(argv: list[str] | None = None) -> list[float]:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', type=existing_file, help='training config')
    parser.add_argument('--power', type=float, default=0.5, help='how far to balance, 0 to 1')
    args = parser.parse_args(argv)
    cfg = Config.fromfile(args.config)
    init_default_scope('mmseg')
    source = dict(cfg.train_dataloader.dataset.labelled)
    source['pipeline'] = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
    dataset = DATASETS.build(source)
    num_classes = len(dataset.metainfo['classes'])
    counts = np.stack(
        [
            np.bincount(dataset[i]['gt_seg_map'].ravel(), minlength=256)[:num_classes]
            for i in range(len(dataset))
        ]
    )
    weights = [round(float(w), 2) for w in median_frequency_weights(counts, args.power)]
    for name, weight in zip(dataset.metainfo['classes'], weights, strict=True):
        print(f'{name:20} {weight:.2f}')
    print(f'class_weight={weights}')
    return weights


if __name__ == '__main__':
    run_tool(main)
