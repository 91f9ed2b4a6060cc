"""Measures PLAR inside the error mask against how much of an image people have labelled.

    python tools/analysis/plar_ablation.py configs/tsf/<config>.py <checkpoint> --json plar.json

The images are the unlabelled list of the config, whose hidden masks are read here, for evaluation
only. Manual labels are drawn inside the error mask: ``pixels`` takes single feature cells spread
at random, ``blocks`` 4x4 cells for the same price; a cell is answered by the class of the native
pixel in its middle, and the whole cell is left out of the figures. Settings with learnt weights
take those of the checkpoint, which needs a training with ``--cfg-options
model.refiner.weights=learnt``, and the same option here. Prints, per rule and share, the accuracy
of the labels inside the mask before and after.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from torch import Tensor

from mmseg_tsf.engine.preflight.config_check import MEASURED, load_config
from mmseg_tsf.engine.run_info import commit
from mmseg_tsf.evaluation import PseudoLabelQuality, answer_cells, draw_cells
from mmseg_tsf.evaluation.hidden_masks import (
    load_image,
    load_with_hidden_masks,
    taps_of,
)
from mmseg_tsf.evaluation.plar_table import DECIDED, plar_table
from mmseg_tsf.models.refinement.label_refinement import LabelRefinement
from mmseg_tsf.models.refinement.plar import PAPER, PseudoLabelAutoRefinement
from mmseg_tsf.models.utils.grid import nearest
from mmseg_tsf.models.utils.labels import IGNORE_INDEX
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.markdown import write_between_markers
from mmseg_tsf.utils.progress import track

LEARNT = dict(weights='learnt')
SETTINGS = {
    'kriging': {},
    'paper': PAPER,
    'paper, equal weights': dict(PAPER, weights='equal'),
    'vote, manual': dict(rule='vote'),
    'vote, learnt weights': dict(rule='vote', **LEARNT),
    'kriging, learnt weights': LEARNT,
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.share('config').share('checkpoint').share('--cfg-options').share('--min-confidence')
    parser.share('--images').share('--seed').share('--json')
    parser.add_argument(
        '--shares',
        type=float,
        nargs='+',
        default=[0, 0.01, 0.05, 0.1],
        help='shares of manual cells among the feature cells of an image',
    )
    parser.add_argument(
        '--layouts',
        nargs='+',
        default=['pixels'],
        choices=['pixels', 'blocks'],
        help='arrangement of the manual cells',
    )
    parser.add_argument(
        '--options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='options of every refiner',
    )
    parser.add_argument(
        '--settings',
        nargs='+',
        choices=list(SETTINGS),
        help='rows of the table (all for which the checkpoint has weights)',
    )
    parser.add_argument('--markdown', help='page whose table, between its markers, is replaced')
    parser.add_argument('--marker', default='plar', help='name of the markers (%(default)s)')
    return parser.parse_args(argv)


class Ablation:
    """All settings on all images.

    Args:
        model: The trained model.
        args: Command line.
    """

    def __init__(self, model, args: argparse.Namespace) -> None:
        self.model, self.args = model, args
        self.taps = taps_of(model)
        self.flagger = getattr(model, 'refinement', None) or self._refinement()
        learnt = getattr(getattr(model, 'refinement', None), 'refiner', None)
        self.learnt = getattr(learnt, 'weight_module', None)
        self.refiners = {name: self._refiner(name) for name in self._settings()}
        self.quality: dict[tuple, PseudoLabelQuality] = {}

    def _settings(self) -> list[str]:
        """Rows of the table.

        Raises:
            UserError: Weights are asked for that the model has not learnt.
        """
        lacking = [name for name, own in SETTINGS.items() if own.get('weights') == 'learnt']
        lacking = [] if self.learnt is not None else lacking
        asked = self.args.settings or [name for name in SETTINGS if name not in lacking]
        for name in asked:
            if name in lacking:
                raise UserError(
                    f'--settings {name!r} has learnt weights, and the model has none: train it '
                    'with --cfg-options model.refiner.weights=learnt, and say so here'
                )
        return asked

    def _refiner(self, name: str) -> PseudoLabelAutoRefinement:
        """Builds the refiner of a setting, with the learnt weights of the model if it uses any."""
        options = Config(copy.deepcopy(SETTINGS[name]))
        options.merge_from_dict(self.args.options)
        refiner = self._refinement(**options.to_dict()).refiner
        if refiner.weight_module is not None:
            refiner.weight_module = copy.deepcopy(self.learnt)
        return refiner

    def _refinement(self, **options) -> LabelRefinement:
        refinement = LabelRefinement(
            self.model.network,
            self.model.num_classes,
            refiner=dict(type='PseudoLabelAutoRefinement', **options),
            taps=self.taps,
            min_confidence=self.args.min_confidence,
        )
        return refinement.to(next(self.model.parameters()).device).eval()

    @torch.no_grad()
    def measure(self, index: int, images: Tensor, truth: Tensor, valid: Tensor) -> None:
        """One image as ``load_image`` gives it, and its position."""
        view = self.model.show(self.model.predict_on, images, self.taps)
        flagged = self.flagger.flag(view, view.probs.amax(dim=1))
        grid = view.features[-1].shape[2:]
        cells = nearest(flagged, grid)[0]
        for layout in self.args.layouts:
            for share in self.args.shares:
                generator = torch.Generator().manual_seed(self.args.seed * 100003 + index)
                asked = draw_cells(cells, round(share * cells.numel()), layout, generator)
                manual, left_out = answer_cells(asked, truth[0])
                for name, refiner in self.refiners.items():
                    self.flagger.refiner = refiner
                    refined = self.flagger.refine(view, manual[None], valid)
                    quality = self.quality.setdefault(
                        (layout, share, name), PseudoLabelQuality(self.model.num_classes)
                    )
                    before, after = refined.before.labels, refined.pseudo
                    quality.update(before, after.labels, flagged, truth, left_out[None])
                    if refiner.rule != 'vote':  # which has no posterior
                        counts = refined.corrected & ~left_out & (truth != IGNORE_INDEX)
                        wrong = after.labels != truth
                        quality.update_errors(DECIDED, 1 - after.confidence, wrong, counts)

    def table(self) -> list[dict]:
        """One record per layout, share and setting."""
        rows = []
        for (layout, share, name), quality in self.quality.items():
            figures = {key: round(value, 3) for key, value in quality.compute().items()}
            gain = figures['after.accuracy.inside'] - figures['before.accuracy.inside']
            rows.append(
                dict(layout=layout, share=share, setting=name, gain=round(gain, 3), **figures)
            )
        return rows


def main(argv: list[str] | None = None) -> list[dict]:
    """Entry point."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options, MEASURED)
    model, dataset = load_with_hidden_masks(cfg, args.checkpoint)
    ablation = Ablation(model, args)
    num = min(args.images or len(dataset), len(dataset))
    for i in track(range(num), 'refining', say=print):
        ablation.measure(i, *load_image(model, dataset, i * len(dataset) // num))
    rows = ablation.table()
    print(f'{"layout":8} {"share":>6} {"setting":24} {"before":>7} {"after":>7} {"gain":>6} mIoU')
    for row in rows:
        print(
            f'{row["layout"]:8} {row["share"]:6.3f} {row["setting"]:24} '
            f'{row["before.accuracy.inside"]:7.2f} {row["after.accuracy.inside"]:7.2f} '
            f'{row["gain"]:+6.2f} {row["before.mIoU"]:.2f} -> {row["after.mIoU"]:.2f}'
        )
    head = dict(config=args.config, checkpoint=args.checkpoint, images=num, seed=args.seed)
    head.update(commit=commit(), options=dict(args.options))
    head.update(min_confidence=ablation.flagger.min_confidence)
    head.update(emd=ablation.flagger.error_head is not None)
    if args.markdown:
        write_between_markers(args.markdown, args.marker, plar_table(rows, head))
    if args.json:
        Path(args.json).write_text(json.dumps(dict(**head, rows=rows), indent=1) + '\n')
    return rows


if __name__ == '__main__':
    run_tool(main)
