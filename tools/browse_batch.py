"""Draws what a model is really fed: images after mixing, labels, and what each pixel counts.

    python tools/browse_batch.py configs/tsf/<config>.py -o batches
    python tools/browse_batch.py configs/tsf/<config>.py -o batches --load-from <checkpoint>
    python tools/browse_batch.py configs/active_learning/<config>.py -o batches --cfg-options \\
        train_dataloader.dataset.manual_labels=work_dirs/<run>/rounds/labels/round_001

Takes a few real training steps, in a temporary work dir, and records their losses. Written are
``batch_000_labelled.png`` and ``batch_000_unlabelled.png`` for each step: a row for each image,
named after the one that others are mixed into, and for each loss the labels that it teaches and
their weights. Black is no label, grey is padding or left out. Without a checkpoint the networks are
as new as their config makes them, so pseudo-labels are noise; with one, ramps and refinement are
where they were when it was written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

import mmseg_tsf  # noqa: F401  (registers everything before the config is built)
from mmseg_tsf.engine.preflight.config_check import load_config
from mmseg_tsf.engine.preflight.short_run import run_steps, short_run
from mmseg_tsf.engine.step_recorder import RecordedStep, StepRecorder, Taught
from mmseg_tsf.models.data_preprocessor import channel_conversion
from mmseg_tsf.models.utils.labels import valid_mask
from mmseg_tsf.utils.cli import ToolParser, existing_file, run_tool
from mmseg_tsf.utils.runner import unwrap

GREY = 0.5
Panel = tuple[str, np.ndarray]
"""Title, and a picture of each image: ``(N, H, W, 3)`` in [0, 1], or ``(N, H, W)`` weights."""


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


def paint(labels: Tensor, palette: np.ndarray) -> np.ndarray:
    """Class ids ``(N, H, W)`` as colours ``(N, H, W, 3)`` in [0, 1]; no label is black."""
    table = np.zeros((256, 3))
    table[: len(palette)] = palette / 255
    return table[labels.cpu().numpy()]


def to_panels(taught: list[Taught], palette: np.ndarray) -> list[Panel]:
    """Labels and weights of everything that is taught and has any label."""
    panels = []
    for lesson in taught:
        weight = lesson.weight.float().cpu().numpy()
        if (lesson.labels != 255).any():
            panels.append((lesson.title, paint(lesson.labels, palette)))
            panels.append((f'weight, mean {weight.mean():.2f}', weight))
    return panels


def draw_step(step: RecordedStep, model, metainfo: dict, stem: Path) -> list[Path]:
    """Writes a picture of each branch of a step; returns their paths."""
    batch, palette = step.batch, np.asarray(metainfo['palette'], float)
    preprocessor = model.data_preprocessor.data_preprocessor
    inside = valid_mask(batch.samples, batch.labelled)
    branches = {'labelled': (batch.labelled, {}, inside, batch.samples)}
    for name, view in batch.views.items():
        branches[name] = view.images, view.pseudo, view.valid, step.samples['unlabelled']
    paths = []
    for name, (images, pseudo, inside, samples) in branches.items():
        panels = [('image', to_pictures(images, preprocessor))]
        for labeller, labels in pseudo.items():
            panels.append((f"{labeller}'s confidence", labels.confidence.cpu().numpy()))
        panels += to_panels(step.taught[name], palette)
        rows = [Path(sample.metainfo.get('img_path', '')).stem for sample in samples]
        paths.append(Path(f'{stem}_{name}.png'))
        draw(panels, rows, inside.cpu().numpy(), metainfo['classes'], palette, paths[-1])
    return paths


def draw(
    panels: list[Panel],
    rows: list[str],
    inside: np.ndarray,
    classes: list[str],
    palette: np.ndarray,
    path: Path,
) -> None:
    """Writes a grid of pictures with titles, a scale of the weights and the classes.

    Args:
        panels: The columns.
        rows: Names of the N images.
        inside: ``(N, H, W)`` bool, False in the padding and in what is left out.
        classes: Names of the classes.
        palette: ``(K, 3)`` their colours, up to 255.
        path: File that the picture is written to.
    """
    height, width = inside.shape[1:]
    size = 2.4 * len(panels) + 0.9, 2.3 * height / width * len(rows) + 1.1
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(len(rows), len(panels), squeeze=False)
    largest = max([1.0, *(values.max() for _, values in panels if values.ndim == 3)])
    heat = None
    for column, (title, values) in zip(axes.T, panels, strict=True):
        column[0].set_title(title, fontsize=8)
        for axis, value, within in zip(column, values, inside, strict=True):
            if value.ndim == 2:
                value = np.ma.masked_array(value, ~within)
                heat = axis.imshow(value, 'viridis', vmin=0, vmax=largest, interpolation='nearest')
                axis.set_facecolor(str(GREY))
            else:
                axis.imshow(np.where(within[..., None], value, GREY), interpolation='nearest')
            axis.set(xticks=[], yticks=[])
    for axis, name in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(name, fontsize=6)
    if heat is not None:
        figure.colorbar(heat, ax=axes, fraction=0.02, pad=0.01)
    handles = [
        Patch(color=tuple(colour / 255), label=name)
        for name, colour in zip(classes, palette, strict=True)
    ]
    columns = max(1, round(1.6 * len(panels)))
    figure.legend(handles=handles, loc='outside lower center', ncols=columns, fontsize=7)
    figure.savefig(path, dpi=130)


def main(argv: list[str] | None = None) -> list[Path]:
    """Entry point."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
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
