"""Validation and test of several networks of one model."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from mmengine.runner import TestLoop, ValLoop
from mmengine.runner.amp import autocast
from mmseg.registry import LOOPS

from ...utils.errors import UserError
from ...utils.runner import unwrap
from .network_metrics import NetworkMetrics


def evaluate_networks(loop, networks: Sequence[str] | None, stage: str) -> dict[str, float]:
    """Evaluates several networks on the data of a loop, reading every image once.

    Visualisations and prediction files show the network that predicts by default, or the first
    evaluated one if that is not among them.

    Args:
        loop: Validation or test loop.
        networks: Names of the networks; all networks of the model by default.
        stage: ``'val'`` or ``'test'``, as in the names of hooks and steps.

    Returns:
        dict[str, float]: Metrics named ``<network>/<metric>``; plain names mean those of the
            network that predicts by default, or of the first evaluated one.
    """
    runner = loop.runner
    model = unwrap(runner)
    predict_on = model.predict_on
    names = networks or model.network_names
    shown = predict_on if predict_on in names else names[0]
    if any(getattr(metric, 'format_only', False) for metric in loop.evaluator.metrics):
        names = [shown]
    evaluators = {name: copy.deepcopy(loop.evaluator) for name in names}
    for metric in (m for name, own in evaluators.items() if name != shown for m in own.metrics):
        metric.output_dir = None  # one folder, one network's predictions
    runner.call_hook(f'before_{stage}')
    runner.call_hook(f'before_{stage}_epoch')
    runner.model.eval()
    try:
        for idx, batch in enumerate(loop.dataloader):
            runner.call_hook(f'before_{stage}_iter', batch_idx=idx, data_batch=batch)
            outputs = None
            for name, evaluator in evaluators.items():
                model.predict_on = name
                with torch.no_grad(), autocast(enabled=loop.fp16):
                    samples = getattr(runner.model, f'{stage}_step')(batch)
                evaluator.process(data_samples=samples, data_batch=batch)
                outputs = samples if name == shown else outputs
            runner.call_hook(
                f'after_{stage}_iter', batch_idx=idx, data_batch=batch, outputs=outputs
            )
    finally:
        model.predict_on = predict_on
    metrics = {}
    for name, evaluator in evaluators.items():
        values = evaluator.evaluate(len(loop.dataloader.dataset))
        metrics.update({f'{name}/{key}': value for key, value in values.items()})
    metrics = NetworkMetrics(metrics, shown)
    runner.call_hook(f'after_{stage}_epoch', metrics=metrics)
    runner.call_hook(f'after_{stage}')
    return metrics


def check_networks(runner, networks: Sequence[str] | None, key: str) -> Sequence[str] | None:
    """Checks the names of networks in a config.

    Args:
        runner: Runner.
        networks: Names, or ``None`` for all.
        key: Key in the config, for the error message.

    Returns:
        The names unchanged.

    Raises:
        UserError: The model has no such network.
    """
    model = unwrap(runner)
    known = model.network_names
    if networks is None or (isinstance(networks, list | tuple) and set(networks) <= set(known)):
        return networks
    raise UserError(
        f'{key}={networks!r} must be a list of networks of {type(model).__name__}: '
        f'{", ".join(known)}'
    )


@LOOPS.register_module()
class SemiValLoop(ValLoop):
    """``ValLoop`` that evaluates several networks: ``teacher/mIoU``, ``student/mIoU``, ...

    Args:
        *args: Arguments of mmengine's ``ValLoop``.
        networks: Names of the networks; all by default.
        **kwargs: Options of mmengine's ``ValLoop``.

    Raises:
        UserError: The model has no such network.
    """

    def __init__(self, *args, networks: Sequence[str] | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.networks = check_networks(self.runner, networks, 'val_cfg.networks')

    def run(self) -> dict[str, float]:
        """Launches validation."""
        return evaluate_networks(self, self.networks, 'val')


@LOOPS.register_module()
class SemiTestLoop(TestLoop):
    """``TestLoop`` that evaluates several networks; see :class:`SemiValLoop`."""

    def __init__(self, *args, networks: Sequence[str] | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.networks = check_networks(self.runner, networks, 'test_cfg.networks')

    def run(self) -> dict[str, float]:
        """Launches the test."""
        return evaluate_networks(self, self.networks, 'test')
