"""Draws what a model is really fed: images after mixing, labels, and what each pixel counts.

    python tools/browse_batch.py configs/tsf/<config>.py -o batches
    python tools/browse_batch.py configs/tsf/<config>.py -o batches --load-from <checkpoint>
    python tools/browse_batch.py configs/active_learning/<config>.py -o batches --cfg-options \\
        train_dataloader.dataset.manual_labels=work_dirs/<run>/rounds/labels

Takes a few real training steps, in a temporary work dir, and records their losses. Written are
``batch_000_labelled.png`` for each step and a picture for each view of the unlabelled images, such
as ``batch_000_unlabelled.png``: a row for each image, named after the one that others are mixed
into, and for each loss the labels that it teaches and their weights. Black is no label, grey is
padding or left out. Without a checkpoint the networks are as new as their config makes them, so
pseudo-labels are noise; with one, ramps and refinement are where they were when it was written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from torch import Tensor

import mmseg_tsf  # noqa: F401  (registers everything before the config is built)
from mmseg_tsf.engine.preflight.config_check import TRAINED, load_config
from mmseg_tsf.engine.preflight.short_run import run_steps, short_run
from mmseg_tsf.engine.step_recorder import RecordedStep, StepRecorder, Taught
from mmseg_tsf.models.data_preprocessor import channel_conversion
from mmseg_tsf.models.utils.labels import valid_mask
from mmseg_tsf.reporting.drawing.grid import Column, colour, draw_grid
from mmseg_tsf.utils.cli import ToolParser, existing_file, run_tool
from mmseg_tsf.utils.runner import unwrap


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.share('config').share('--cfg-options')
    parser.share('--out', required=True, help='folder for the pictures')
    parser.add_argument('--batches', type=int, default=2, help='number of batches (%(default)s)')
    parser.add_argument('--load-from', type=existing_file, help='checkpoint of that config')
    args = parser.parse_args(argv)
    if args.batches < 1:
        parser.error(f'--batches {args.batches} must be at least 1')
    return args


def to_pictures(images: Tensor, preprocessor) -> np.ndarray:
    """Preprocessed ``(N, 3, H, W)`` as they were before: ``(N, H, W, 3)`` RGB in [0, 1]."""
    images = images.detach().float()
    if preprocessor._enable_normalize:
        images = images * preprocessor.std + preprocessor.mean
    if not getattr(preprocessor, channel_conversion(preprocessor)):  # images are loaded as BGR
        images = images.flip(1)
    return (images / 255).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()


def to_columns(taught: list[Taught], palette: list) -> list[Column]:
    """Labels and weights of everything that is taught and has any label."""
    columns = []
    for lesson in taught:
        weight = lesson.weight.float().cpu().numpy()
        if (lesson.labels != 255).any():
            columns.append((lesson.title, colour(lesson.labels.cpu().numpy(), palette)))
            columns.append((f'weight, mean {weight.mean():.2f}', weight))
    return columns


def draw_step(step: RecordedStep, model, metainfo: dict, stem: Path) -> list[Path]:
    """Writes a picture of each branch of a step; returns their paths."""
    batch, preprocessor = step.batch, model.data_preprocessor.data_preprocessor
    valid = valid_mask(batch.samples, batch.labelled)
    branches = {'labelled': (batch.labelled, {}, valid, batch.samples)}
    for name, view in batch.views.items():
        branches[name] = view.images, view.pseudo, view.valid, step.samples['unlabelled']
    paths = []
    for name, (images, pseudo, inside, samples) in branches.items():
        columns = [('image', to_pictures(images, preprocessor))]
        for labeller, labels in pseudo.items():
            columns.append((f"{labeller}'s confidence", labels.confidence.cpu().numpy()))
        columns += to_columns(step.taught.get(name, []), metainfo['palette'])
        rows = [Path(sample.metainfo.get('img_path', '')).stem for sample in samples]
        paths.append(Path(f'{stem}_{name}.png'))
        draw_grid(columns, rows, inside.cpu().numpy(), metainfo, paths[-1])
    return paths


def main(argv: list[str] | None = None) -> list[Path]:
    """Entry point."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options, TRAINED)
    cfg.launcher = 'none'
    if args.load_from:
        cfg.load_from = args.load_from
    args.out.mkdir(parents=True, exist_ok=True)
    paths = []
    with short_run(cfg) as runner:
        model, metainfo = unwrap(runner), runner.train_loop.dataloader.dataset.metainfo
        recorder = StepRecorder(model)

        def draw_last(step: int) -> None:
            stem = args.out / f'batch_{step - 1:03d}'
            paths.extend(draw_step(recorder.step, model, metainfo, stem))

        with recorder.listen():
            run_steps(runner, args.batches, draw_last, start=None)
    print(f'{len(paths)} pictures in {args.out}')
    return paths


if __name__ == '__main__':
    run_tool(main)
