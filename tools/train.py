"""Trains a model from a config; the arguments are those of MMSegmentation's tools/train.py."""

from __future__ import annotations

import argparse
import os
import os.path as osp

import torch
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

import mmseg_tsf  # noqa: F401  (registers everything before the config is built)
from mmseg_tsf.compat import start_cpu_process_group
from mmseg_tsf.utils import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: python tools/train.py configs/tsf/<config>.py --work-dir work_dirs/tsf',
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume', action='store_true', help='resume from the latest checkpoint in the work dir'
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision (needs a GPU)')
    parser.add_argument(
        '--amp-dtype', choices=['float16', 'bfloat16'], default='float16', help='type for --amp'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='overrides of the config, key=value'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def enable_amp(cfg: Config, dtype: str) -> None:
    """Switches the optimiser wrapper to mixed precision.

    Raises:
        ValueError: There is no GPU, or the wrapper has no mixed-precision form.
    """
    if not torch.cuda.is_available():
        raise ValueError('--amp needs a GPU (mmengine refuses it on a CPU): leave it out here')
    if cfg.optim_wrapper.type not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            f"--amp works with optim_wrapper.type='OptimWrapper', not {cfg.optim_wrapper.type!r}"
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.dtype = dtype
    # bfloat16 has float32's range, so its loss needs no scaling
    cfg.optim_wrapper.loss_scale = 'dynamic' if dtype == 'float16' else 1.0


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = parse_args(argv)
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    cfg.merge_from_dict(args.cfg_options or {})
    name = osp.splitext(osp.basename(args.config))[0]
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or osp.join('work_dirs', name)
    cfg.resume = args.resume or cfg.get('resume', False)
    if args.amp:
        enable_amp(cfg, args.amp_dtype)
    start_cpu_process_group(cfg)
    Runner.from_cfg(cfg).train()


if __name__ == '__main__':
    run_tool(main)
