"""Tests a checkpoint; the arguments are those of MMSegmentation's tools/test.py.

    python tools/test.py configs/tsf/<config>.py work_dirs/tsf/iter_2000.pth

Every network is reported under its name, and the metrics are written to
``test_metrics.json`` beside the checkpoint (or in ``--work-dir``) for tools/results_table.py.
"""

from __future__ import annotations

import argparse
import json
import os
import os.path as osp

from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.runner import Runner

import mmseg_tsf  # noqa: F401  (registers everything before the config is built)
from mmseg_tsf.compat import start_cpu_process_group
from mmseg_tsf.utils.cli import existing_file
from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.errors import UserError


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', type=existing_file, help='config file')
    parser.add_argument('checkpoint', type=existing_file, help='checkpoint file')
    parser.add_argument('--work-dir', help='folder for logs; the config name in work_dirs/ if none')
    parser.add_argument('--out', help='folder for predictions, for offline evaluation')
    parser.add_argument('--show', action='store_true', help='show predictions')
    parser.add_argument('--show-dir', help='folder for painted images')
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        help='seconds that --show shows a picture (%(default)s)',
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help='test-time augmentation: tta_pipeline of the config, or three sizes and flips',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='overrides of the config, key=value'
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes; dist_*.sh and slurm_*.sh set it',
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help='given by older launchers'
    )
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def prepare(args: argparse.Namespace) -> Config:
    """The config with the command line's wishes."""
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    cfg.merge_from_dict(args.cfg_options or {})
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
    """The test pipeline at three sizes, each as it is and flipped; for configs without one.

    Raises:
        UserError: It has no ``Resize``.
    """
    kinds = [step['type'] for step in pipeline]
    if 'Resize' not in kinds:
        raise UserError('--tta: the test pipeline has no Resize, set tta_pipeline in the config')
    at = kinds.index('Resize')
    resize, (width, height) = pipeline[at], pipeline[at].scale
    sizes = [(round(width * ratio), round(height * ratio)) for ratio in (0.75, 1.0, 1.25)]
    choices = [
        [dict(resize, scale=size) for size in sizes],
        [dict(type='RandomFlip', prob=prob, direction='horizontal') for prob in (0.0, 1.0)],
        *([step] for step in pipeline[at + 1 :]),
    ]
    return [*pipeline[:at], dict(type='TestTimeAug', transforms=choices)]


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Entry point; returns the metrics."""
    args = parse_args(argv)
    cfg = prepare(args)
    start_cpu_process_group(cfg)
    runner = Runner.from_cfg(cfg)
    metrics = {key: float(value) for key, value in runner.test().items()}
    if is_main_process():
        record = dict(
            checkpoint=osp.basename(args.checkpoint),
            tta=args.tta,
            cfg_options=args.cfg_options or {},
            metrics=metrics,
        )
        folder = args.work_dir or osp.dirname(osp.abspath(args.checkpoint))
        with open(osp.join(folder, 'test_metrics.json'), 'w') as file:
            json.dump(record, file, indent=2)
            file.write('\n')
    return metrics


if __name__ == '__main__':
    run_tool(main)
