"""Trains a model from a config; the arguments are those of MMSegmentation's tools/train.py.

    python tools/train.py configs/tsf/<config>.py --work-dir work_dirs/tsf
    python tools/train.py configs/tsf/<config>.py --work-dir work_dirs/tsf --resume
    python tools/train.py configs/tsf/<config>.py --dry-run

A dry run builds everything, opens every file and takes a few steps without keeping them. It reports
what a training from the start would spend and how long it would take.
"""

from __future__ import annotations

import argparse
import os.path as osp
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

import mmseg_tsf  # noqa: F401  (registers everything before the config is built)
from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.compat import start_cpu_process_group
from mmseg_tsf.engine.preflight.config_check import check_weights, load_config
from mmseg_tsf.engine.preflight.dry_run import dry_run
from mmseg_tsf.engine.preflight.label_check import check_evaluations
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError, explain_disk_errors_in
from mmseg_tsf.utils.processes import keep_freed_memory
from mmseg_tsf.utils.settings import kind_name


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.share('config').share('--work-dir').share('--cfg-options').share_launcher()
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument(
        '--resume', action='store_true', help='resume from the latest checkpoint in the work dir'
    )
    begin.add_argument(
        '--dry-run',
        action='store_true',
        help='check everything and estimate label spend and duration, without training',
    )
    parser.add_argument('--amp', action='store_true', help='train in mixed precision (needs a GPU)')
    parser.add_argument(
        '--amp-dtype',
        choices=['float16', 'bfloat16'],
        default='float16',
        help='data type of --amp (%(default)s)',
    )
    return parser.parse_args(argv)


def enable_amp(cfg: Config, dtype: str) -> None:
    """Switches the optimiser wrapper to mixed precision.

    Args:
        cfg: Whole config; changed in place.
        dtype: ``'float16'`` or ``'bfloat16'``.

    Raises:
        UserError: There is no GPU, or the wrapper has no mixed-precision version.
    """
    if not torch.cuda.is_available():
        raise UserError('--amp needs a GPU, and there is none: leave it out')
    kind = kind_name(cfg.optim_wrapper)
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise UserError(f"--amp works with optim_wrapper.type='OptimWrapper', not {kind!r}")
    if kind == 'AmpOptimWrapper':
        print_log('--amp: the AmpOptimWrapper of the config is used as it is', 'current')
        return
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.dtype = dtype
    # bfloat16 has float32's range, so its loss needs no scaling
    cfg.optim_wrapper.loss_scale = 'dynamic' if dtype == 'float16' else 1.0


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    name = osp.splitext(osp.basename(args.config))[0]
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or osp.join('work_dirs', name)
    cfg.resume = args.resume or cfg.get('resume', False)
    if args.amp:
        enable_amp(cfg, args.amp_dtype)
    check_weights(cfg)
    check_evaluations(cfg)
    if args.dry_run:
        start_cpu_process_group(cfg)
        dry_run(cfg)
        return
    with explain_disk_errors_in(Path(cfg.work_dir)):
        # before this run joins a process group or writes anything
        RoundStore(Path(cfg.work_dir, 'rounds')).check_unlocked()
        start_cpu_process_group(cfg)
        keep_freed_memory()
        Runner.from_cfg(cfg).train()


if __name__ == '__main__':
    run_tool(main)
