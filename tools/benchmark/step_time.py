"""Times training steps against the bare computation that they need at least.

    python tools/benchmark/step_time.py configs/tsf/<config>.py --steps 20

Three things take turns in one process, so that a noisy machine troubles them alike:

* the full step: batch from the loader, hooks, mixing, losses, backward, update, EMA;
* the floor: forward (and backward) of the same networks and parts on the same shapes;
* the published composition: the passes of the method's public code with losses at image size,
  update and average (mmseg_tsf/engine/published_steps.py). Teacher-Student-Friend is composed of
  AEL's loop and CPS + CutMix.
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
import warnings

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

import mmseg_tsf  # noqa: F401  (registers everything before the config is built)
from mmseg_tsf.engine import PLARHook
from mmseg_tsf.engine.preflight.config_check import TRAINED, load_config
from mmseg_tsf.engine.published_steps import (
    Pass,
    parts_of,
    published_passes,
    run_published,
)
from mmseg_tsf.engine.run_info import commit, device_name, peak_memory_mib
from mmseg_tsf.models.segmentors import SemiSegmentor
from mmseg_tsf.utils.cli import ToolParser, existing_file, run_tool
from mmseg_tsf.utils.processes import keep_freed_memory
from mmseg_tsf.utils.runner import unwrap
from mmseg_tsf.utils.settings import hook_configs
from mmseg_tsf.utils.timing import now, ratio, show_result

Call = tuple[str, str, list[tuple[int, ...]], bool]
"""What is called (``'backbone'``, ``'head'``, ``'part'``), whose, shapes of its input, gradient."""


class CallRecorder:
    """Notes every call of backbones, decode heads and parts of a step."""

    def __init__(self, model: SemiSegmentor) -> None:
        self.calls: list[Call] = []
        for name in model.network_names:
            getattr(model, name).backbone.register_forward_pre_hook(self._note('backbone', name))
        for name, part in parts_of(model).items():
            part.register_forward_pre_hook(self._note('part', name))
        decode = model.decode

        def recorded(name, features):
            shapes = [tuple(own.shape) for own in features]
            self.calls.append(('head', name, shapes, torch.is_grad_enabled()))
            return decode(name, features)

        model.decode = recorded

    def _note(self, kind: str, name: str):
        def hook(module, inputs):
            shapes = [tuple(own.shape) for own in inputs]
            self.calls.append((kind, name, shapes, torch.is_grad_enabled()))

        return hook


def run_floor(model: SemiSegmentor, calls: list[Call], device: torch.device) -> None:
    """Replays recorded calls: forward, and backward where there was gradient."""
    parts = parts_of(model)
    for kind, name, shapes, with_grad in calls:
        inputs = [torch.randn(shape, device=device) for shape in shapes]
        with torch.set_grad_enabled(with_grad):
            if kind == 'backbone':
                found = model.get_submodule(name).extract_feat(*inputs)
            else:
                inputs = [own.requires_grad_(with_grad) for own in inputs]
                found = [model.decode(name, inputs) if kind == 'head' else parts[name](*inputs)]
            if with_grad:
                sum(own.float().mean() for own in found).backward()
    model.zero_grad()


class StepTimer(Hook):
    """Times each iteration of the runner, and the floor and the composed step after it."""

    priority = 'LOWEST'

    def __init__(self, warmup: int) -> None:
        self.warmup = warmup
        self.times: dict[str, list[float]] = dict(step=[], floor=[], composed=[])
        self.host_syncs: int | None = None

    def before_train(self, runner: Runner) -> None:
        model = unwrap(runner)
        self.twin = copy.deepcopy(model)
        self.twin.train()
        self.recorder = CallRecorder(model)
        optimizer = copy.deepcopy(runner.cfg.optim_wrapper)
        runner_model, runner.model = runner.model, self.twin
        self.twin_optim = runner.build_optim_wrapper(optimizer)
        runner.model = runner_model
        self.started = now()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        times = dict(step=now() - self.started)
        self.calls, self.recorder.calls = self.recorder.calls, []
        device = next(self.twin.parameters()).device
        began = now()
        with runner.optim_wrapper.optim_context(runner.model):
            run_floor(self.twin, self.calls, device)
        times['floor'] = now() - began
        passes = published_passes(self.twin)
        if passes is not None:
            times['composed'] = self.time_composed(data_batch, passes)
        if batch_idx >= self.warmup:
            for key, value in times.items():
                self.times[key].append(value)
        self.started = now()

    def time_composed(self, data_batch: dict, passes: list[Pass]) -> float:
        """Seconds of one step composed the published way, update and per-tensor EMA included."""
        began = now()
        data = self.twin.data_preprocessor(data_batch, training=True)
        with self.twin_optim.optim_context(self.twin):
            loss = run_published(self.twin, passes, data['inputs']['unlabelled'])
        self.twin_optim.update_params(loss)
        with torch.no_grad():
            for average, learner in self.twin.averages.items():
                mine, theirs = (getattr(self.twin, n).parameters() for n in (average, learner))
                for own, other in zip(mine, theirs, strict=True):
                    own.mul_(0.99).add_(other, alpha=0.01)
        return now() - began


def count_host_syncs(runner: Runner) -> int | None:
    """Times that one training step makes the host wait for the GPU; ``None`` on a CPU."""
    if not torch.cuda.is_available():
        return None
    batch = next(runner.train_loop.dataloader_iterator)
    for hook in runner.hooks:
        hook.before_train_iter(runner, batch_idx=0, data_batch=batch)
    torch.cuda.set_sync_debug_mode('warn')
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            runner.model.train_step(batch, optim_wrapper=runner.optim_wrapper)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    return sum('synchroniz' in str(warning.message) for warning in caught)


def time_loader(runner: Runner, steps: int) -> float:
    """Mean seconds per batch when nothing but the loader runs, past what it has prefetched."""
    batches, loader = runner.train_loop.dataloader_iterator, runner.train_dataloader
    for _ in range(1 + loader.num_workers * (loader.prefetch_factor or 0)):
        next(batches)
    began = time.perf_counter()
    for _ in range(steps):
        next(batches)
    return (time.perf_counter() - began) / steps


def benchmark(cfg: Config, steps: int, warmup: int) -> dict:
    """Figures of a training config, times in seconds; the ``warmup`` steps do not count."""
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
        cfg[key] = None
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps + warmup)  # without rounds
    for hook in hook_configs(cfg, PLARHook):  # labels are refined in every step, none is measured
        hook.dataset = None
        if hook.get('begin', 0.0) is not None:  # None is off
            hook.begin = 0.0
    with tempfile.TemporaryDirectory() as cfg.work_dir:
        cfg.default_hooks.checkpoint = None
        cfg.log_level = 'ERROR'
        cfg.visualizer = None  # a named one would write into the folder of a run before
        keep_freed_memory()  # as train.py does
        runner = Runner.from_cfg(cfg)
        unwrap(runner).begin_stage()  # a later one, where the first has fewer parts
        timer = StepTimer(warmup)
        runner.register_hook(timer)
        runner.train()
        host_syncs = count_host_syncs(runner)
        loader_time = time_loader(runner, steps)
    median = {key: statistics.median(values) for key, values in timer.times.items() if values}
    result = dict(
        config=cfg.filename,
        step_time=median['step'],
        floor_time=median['floor'],
        ratio_to_floor=ratio(timer.times['step'], timer.times['floor']),
        network_calls=sum(kind == 'backbone' for kind, *_ in timer.calls),
        calls=[
            f'{kind} {name} {", ".join(map(str, shapes))} {"grad" if grad else "no grad"}'
            for kind, name, shapes, grad in timer.calls
        ],
        loader_time=loader_time,
        peak_memory_mib=peak_memory_mib(),
        device=device_name(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        commit=commit(),
        steps=steps,
    )
    if timer.times['composed']:
        result['composed_time'] = median['composed']
        result['ratio_to_composed'] = ratio(timer.times['step'], timer.times['composed'])
    if host_syncs is not None:
        result['host_syncs'] = host_syncs
    return result


def main(argv: list[str] | None = None) -> dict:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.share('config').share('--cfg-options').share('--json')
    parser.add_argument('--against', type=existing_file, help='config to compare with')
    parser.add_argument(
        '--steps', type=int, default=10, help='number of measured steps (%(default)s)'
    )
    parser.add_argument(
        '--warmup', type=int, default=3, help='number of steps before them (%(default)s)'
    )
    args = parser.parse_args(argv)
    result = benchmark(load_config(args.config, args.cfg_options, TRAINED), args.steps, args.warmup)
    if args.against:
        cfg = load_config(args.against, args.cfg_options, TRAINED)
        other = benchmark(cfg, args.steps, args.warmup)
        # by way of the floors, which the machine's noise touched as it did the steps
        against = dict(config=other['config'], ratio=result['step_time'] / other['step_time'])
        if result['calls'] == other['calls']:
            against['ratio_by_floors'] = result['ratio_to_floor'] / other['ratio_to_floor']
        result['against'] = against
    return show_result(result, args.json)


if __name__ == '__main__':
    run_tool(main)
