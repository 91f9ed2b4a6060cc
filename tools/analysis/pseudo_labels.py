"""Draws what EMD and PLAR change in pseudo-labels (the paper's figures 5 and 6).

    python tools/analysis/pseudo_labels.py configs/tsf/<config>.py <checkpoint> -o labels.png

One row for each image of the config's unlabelled list: image, ground truth (hidden, read here
alone), pseudo-label, confidence below 0.7, 0.8 and 0.9, the error decoder's probability where
there is one, the true errors, the refined label, and the pixels that would be asked. ``--seeds``
first gives a share of the feature cells inside the error mask as manual labels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmseg_tsf.engine.preflight.config_check import MEASURED, load_config
from mmseg_tsf.evaluation import answer_cells, draw_cells
from mmseg_tsf.evaluation.hidden_masks import (
    load_image,
    load_with_hidden_masks,
    taps_of,
)
from mmseg_tsf.models.refinement.label_refinement import LabelRefinement
from mmseg_tsf.models.refinement.plar import PAPER
from mmseg_tsf.models.utils.grid import nearest
from mmseg_tsf.models.utils.labels import IGNORE_INDEX
from mmseg_tsf.reporting.drawing.grid import colour, draw_grid
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.share('config').share('checkpoint')
    parser.share('--out', default='pseudo_labels.png', help='picture to write (%(default)s)')
    parser.add_argument('--images', nargs='+', help='names of images (--num evenly spread ones)')
    parser.add_argument('--num', type=int, default=4, help='number of images (%(default)s)')
    parser.add_argument(
        '--seeds', type=float, default=0.0, help='share of manual feature cells (%(default)s)'
    )
    return parser.parse_args(argv)


def choose(dataset, names: list[str] | None, num: int) -> list[int]:
    """Positions of the images asked for.

    Raises:
        UserError: A name is not in the list.
    """
    if not names:
        num = min(num, len(dataset))
        return [i * len(dataset) // num for i in range(num)]
    known = {Path(dataset.get_data_info(i)['img_path']).stem: i for i in range(len(dataset))}
    missing = [name for name in names if name not in known]
    if missing:
        raise UserError(
            f'{missing[0]} is not in the unlabelled list, which has {len(known)} images such as '
            f'{next(iter(known))}'
        )
    return [known[name] for name in names]


def refinement_of(model) -> LabelRefinement:
    """The model's own; the paper's vote where it has no refiner, behind the mask that it has."""
    own = getattr(model, 'refinement', None)
    if own is None or own.refiner is None:
        refiner = dict(PAPER, type='PseudoLabelAutoRefinement')
        paper = LabelRefinement(
            model.network, model.num_classes, refiner=refiner, taps=taps_of(model)
        )
        paper.to(next(model.parameters()).device).eval()
        if own is None:
            own = paper
        own.refiner = paper.refiner
    return own


@torch.no_grad()
def panels(
    model, refinement: LabelRefinement, image: tuple[Tensor, Tensor, Tensor], seeds: float
) -> dict[str, np.ndarray]:
    """The maps of one image by title: ``(H, W)`` class ids, or floats in [0, 1].

    Args:
        model: The trained model.
        refinement: Refinement that flags and corrects.
        image: Result of ``load_image``.
        seeds: Share of the feature cells with a manual label.
    """
    images, truth, valid = image
    view = model.show(model.predict_on, images, refinement.taps)
    flagged = refinement.flag(view, view.probs.amax(dim=1))
    grid = view.features[-1].shape[2:]
    cells = nearest(flagged, grid)[0]
    number = round(seeds * cells.numel())
    asked = draw_cells(cells, number, 'pixels', torch.Generator().manual_seed(0))
    manual = answer_cells(asked, truth[0])[0][None]
    refined = refinement.refine(view, manual, valid)
    pseudo = refined.before
    maps = {'ground truth': truth, 'pseudo-label': pseudo.labels}
    maps.update({f'confidence < {c}': pseudo.confidence < c for c in (0.7, 0.8, 0.9)})
    if refinement.error_head is not None:
        maps['error decoder'] = refinement.error_probability(view)
    maps['true errors'] = (pseudo.labels != truth) & (truth != IGNORE_INDEX)
    maps['refined label'] = refined.pseudo.labels
    maps['would be asked'] = refined.unresolved
    return {
        title: (part.float() if part.dtype == torch.bool else part)[0].cpu().numpy()
        for title, part in maps.items()
    }


def draw(rows: list[tuple[str, np.ndarray, dict]], metainfo: dict, out: str) -> None:
    """Writes the picture: one row per (name, image in RGB, maps)."""
    names, images, maps = zip(*rows, strict=True)
    columns = [('image', images)]
    for title in maps[0]:
        values = [own[title] for own in maps]
        if np.issubdtype(values[0].dtype, np.integer):
            values = [colour(value, metainfo['palette']) for value in values]
        columns.append((title, values))
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    inside = [np.ones(image.shape[:2], bool) for image in images]
    draw_grid(columns, list(names), inside, metainfo, Path(out))


def main(argv: list[str] | None = None) -> str:
    """Entry point."""
    args = parse_args(argv)
    cfg = load_config(args.config, needed=MEASURED)
    model, dataset = load_with_hidden_masks(cfg, args.checkpoint)
    refinement = refinement_of(model)
    rows = []
    for index in choose(dataset, args.images, args.num):
        maps = panels(model, refinement, load_image(model, dataset, index), args.seeds)
        image = dataset[index]['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
        rows.append((Path(dataset.get_data_info(index)['img_path']).stem, image, maps))
    draw(rows, dataset.metainfo, args.out)
    print(f'{len(rows)} images: {args.out}')
    return args.out


if __name__ == '__main__':
    run_tool(main)
