"""Tests a checkpoint; the arguments are those of MMSegmentation's tools/test.py.

    python tools/test.py configs/tsf/<config>.py work_dirs/tsf/iter_2000.pth

Every network is reported under its name, and the metrics are written to
``test_metrics.json`` beside the checkpoint (or in ``--work-dir``) for tools/results_table.py.
"""

from __future__ import annotations

import argparse
import json
import os.path as osp

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.datasets import BaseSegDataset

import mmseg_tsf  # noqa: F401  (registers everything before the config is built)
from mmseg_tsf.compat import start_cpu_process_group
from mmseg_tsf.datasets.checks import check_orientations
from mmseg_tsf.datasets.wrappers import parts_of
from mmseg_tsf.engine.loops.semi_val_loop import SemiTestLoop
from mmseg_tsf.engine.preflight.config_check import load_config
from mmseg_tsf.engine.preflight.label_check import check_evaluations
from mmseg_tsf.models.segmentors.fitting import check_trained
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.runner import unwrap
from mmseg_tsf.utils.settings import kind_name


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.share('config').share('checkpoint').share('--cfg-options').share_launcher()
    parser.share('--work-dir', help='folder for logs and metrics (work_dirs/<config name>)')
    parser.add_argument('--out', help='folder for the predictions, for offline evaluation')
    parser.add_argument('--show', action='store_true', help='show the predictions')
    parser.add_argument('--show-dir', help='folder for images with the predictions drawn on them')
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        help='seconds for which --show shows an image (%(default)s)',
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help="use test-time augmentation: the config's tta_pipeline, or three sizes and flips",
    )
    return parser.parse_args(argv)


def prepare(args: argparse.Namespace) -> Config:
    """Config of a test with the arguments of the command line."""
    cfg = load_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    name = osp.splitext(osp.basename(args.config))[0]
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or osp.join('work_dirs', name)
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir:
        hook = cfg.default_hooks.visualization
        hook.update(draw=True, show=args.show, wait_time=args.wait_time)
        cfg.visualizer.save_dir = args.show_dir
    if args.tta:
        dataset = cfg.test_dataloader.dataset
        dataset.pipeline = cfg.get('tta_pipeline') or tta_pipeline(dataset.pipeline)
        cfg.model = dict(cfg.get('tta_model', dict(type='SegTTAModel')), module=cfg.model)
        cfg.test_cfg = dict(type='TestLoop')
    if args.out:
        cfg.test_evaluator.update(output_dir=args.out, keep_results=True)
    return cfg


def tta_pipeline(pipeline: list[dict]) -> list[dict]:
    """Pipeline of test-time augmentation for configs without one: three sizes, each flipped, too.

    Raises:
        UserError: The test pipeline has no ``Resize``.
    """
    kinds = [kind_name(step) for step in pipeline]
    if 'Resize' not in kinds:
        raise UserError('--tta: the test pipeline has no Resize; set tta_pipeline in the config')
    at = kinds.index('Resize')
    resize, (width, height) = pipeline[at], pipeline[at].scale
    sizes = [(round(width * ratio), round(height * ratio)) for ratio in (0.75, 1.0, 1.25)]
    choices = [
        [dict(resize, scale=size) for size in sizes],
        [dict(type='RandomFlip', prob=prob, direction='horizontal') for prob in (0.0, 1.0)],
        *([step] for step in pipeline[at + 1 :]),
    ]
    return [*pipeline[:at], dict(type='TestTimeAug', transforms=choices)]


class CheckedTest(Hook):
    """Refuses masks of unclear orientation, and a checkpoint that leaves weights random."""

    def before_run(self, runner: Runner) -> None:
        """Checks the masks of photographs, see :func:`check_orientations`."""
        dataset = runner.test_loop.dataloader.dataset
        if all(isinstance(part, BaseSegDataset) for part in parts_of(dataset)):
            check_orientations(dataset)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Checks the weights of all networks that are tested, see :func:`check_trained`."""
        names = ()
        if isinstance(runner.test_loop, SemiTestLoop):
            names = runner.test_loop.networks or unwrap(runner).network_names
        check_trained(runner.model, checkpoint, names)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Entry point; returns the metrics."""
    args = parse_args(argv)
    cfg = prepare(args)
    check_evaluations(cfg, lists=('test_dataloader',))
    start_cpu_process_group(cfg)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(CheckedTest())
    metrics = {key: float(value) for key, value in runner.test().items()}
    if is_main_process():
        record = dict(
            checkpoint=osp.basename(args.checkpoint),
            tta=args.tta,
            cfg_options=args.cfg_options,
            metrics=metrics,
        )
        folder = args.work_dir or osp.dirname(osp.abspath(args.checkpoint))
        with open(osp.join(folder, 'test_metrics.json'), 'w') as file:
            json.dump(record, file, indent=2)
            file.write('\n')
    return metrics


if __name__ == '__main__':
    run_tool(main)
