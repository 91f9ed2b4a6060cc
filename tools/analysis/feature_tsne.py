"""Embeds the features of doubtful pixels by t-SNE, coloured by true class (the paper's figure 3).

    python tools/analysis/feature_tsne.py configs/tsf/<config>.py <checkpoint> -o tsne.png

Pixels that the error mask flags are gathered from evenly spread images of the config's unlabelled
list, the same number of each class where there are enough, and drawn once for each tapped map. The
hidden masks are read here, for evaluation alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.manifold import TSNE

from mmseg_tsf.engine.preflight.config_check import MEASURED, load_config
from mmseg_tsf.evaluation.hidden_masks import (
    load_image,
    load_with_hidden_masks,
    taps_of,
)
from mmseg_tsf.models.refinement.label_refinement import error_mask
from mmseg_tsf.models.utils.grid import nearest
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError

matplotlib.use('Agg')
import matplotlib.pyplot as plt

NAMES = ('F1', 'F2')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.share('config').share('checkpoint').share('--min-confidence').share('--seed')
    parser.share('--out', default='tsne.png', help='picture to write (%(default)s)')
    parser.share('--images', default=40, help='number of images (%(default)s)')
    parser.add_argument(
        '--per-class', type=int, default=150, help='most pixels of a class (%(default)s)'
    )
    return parser.parse_args(argv)


@torch.no_grad()
def gather(model, dataset, args: argparse.Namespace) -> tuple[list[np.ndarray], np.ndarray]:
    """Features ``(M, C_j)`` of flagged pixels on each map, and their true classes ``(M,)``.

    Raises:
        UserError: Nothing is flagged.
    """
    refinement = getattr(model, 'refinement', None)
    taps = taps_of(model)
    features, classes = ([], []), []
    num = min(args.images, len(dataset))
    for i in range(num):
        images, truth, _ = load_image(model, dataset, i * len(dataset) // num)
        view = model.show(model.predict_on, images, taps)
        confidence = view.probs.amax(dim=1)
        if refinement is not None:
            flagged = refinement.flag(view, confidence)
        else:
            flagged = error_mask(None, confidence, min_confidence=args.min_confidence)
        grid = view.features[-1].shape[2:]
        labels = nearest(truth, grid)[0]
        keep = nearest(flagged, grid)[0] & (labels < model.num_classes)
        classes.append(labels[keep].cpu())
        for part, found in zip(features, view.features, strict=True):
            resized = F.interpolate(found, grid, mode='bilinear', align_corners=False)[0]
            part.append(resized[:, keep].t().cpu())
    classes = torch.cat(classes).numpy()
    if not len(classes):
        raise UserError('no pixel is flagged: raise --min-confidence')
    keep = balanced(classes, args.per_class, np.random.default_rng(args.seed))
    return [torch.cat(part).numpy()[keep] for part in features], classes[keep]


def balanced(classes: np.ndarray, per_class: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of at most ``per_class`` pixels of each class."""
    parts = []
    for cls in np.unique(classes):
        where = np.flatnonzero(classes == cls)
        parts.append(rng.permutation(where)[:per_class])
    return np.concatenate(parts)


def main(argv: list[str] | None = None) -> str:
    """Entry point."""
    args = parse_args(argv)
    cfg = load_config(args.config, needed=MEASURED)
    model, dataset = load_with_hidden_masks(cfg, args.checkpoint)
    features, classes = gather(model, dataset, args)
    figure, axes = plt.subplots(1, len(features), figsize=(12, 6))
    names, palette = dataset.metainfo['classes'], np.asarray(dataset.metainfo['palette']) / 255
    for axis, name, part in zip(axes, NAMES, features, strict=True):
        perplexity = min(30, (len(part) - 1) / 3)
        points = TSNE(perplexity=perplexity, random_state=args.seed).fit_transform(part)
        for cls in np.unique(classes):
            where = classes == cls
            axis.scatter(*points[where].T, s=6, color=palette[cls], label=names[cls])
        axis.set_title(f'{name}, {len(part)} flagged pixels by true class')
        axis.set_xticks([])
        axis.set_yticks([])
    axes[-1].legend(loc='center left', bbox_to_anchor=(1, 0.5), markerscale=3)
    figure.tight_layout()
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=120)
    plt.close(figure)
    print(f'{len(classes)} pixels: {args.out}')
    return args.out


if __name__ == '__main__':
    run_tool(main)
