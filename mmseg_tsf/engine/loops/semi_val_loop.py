"""Validation and test of several networks of one model."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from mmengine.model import is_model_wrapper
from mmengine.runner import TestLoop, ValLoop
from mmengine.runner.amp import autocast
from mmseg.registry import LOOPS


def evaluate_networks(loop, networks: Sequence[str] | None, stage: str) -> dict[str, float]:
    """Evaluates each network on the loop's data, reading every image once.

    Args:
        loop: A validation or test loop.
        networks: Names; all of the model's by default.
        stage: ``'val'`` or ``'test'``, the part of the hooks' and steps' names.

    Returns:
        dict[str, float]: Metrics named ``<network>/<metric>``.
    """
    runner = loop.runner
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    predict_on = model.predict_on
    evaluators = {name: copy.deepcopy(loop.evaluator) for name in networks or model.network_names}
    runner.call_hook(f'before_{stage}')
    runner.call_hook(f'before_{stage}_epoch')
    runner.model.eval()
    try:
        for idx, batch in enumerate(loop.dataloader):
            runner.call_hook(f'before_{stage}_iter', batch_idx=idx, data_batch=batch)
            for name, evaluator in evaluators.items():
                model.predict_on = name
                with torch.no_grad(), autocast(enabled=loop.fp16):
                    outputs = getattr(runner.model, f'{stage}_step')(batch)
                evaluator.process(data_samples=outputs, data_batch=batch)
            runner.call_hook(
                f'after_{stage}_iter', batch_idx=idx, data_batch=batch, outputs=outputs
            )
    finally:
        model.predict_on = predict_on
    metrics = {}
    for name, evaluator in evaluators.items():
        values = evaluator.evaluate(len(loop.dataloader.dataset))
        metrics.update({f'{name}/{key}': value for key, value in values.items()})
    runner.call_hook(f'after_{stage}_epoch', metrics=metrics)
    runner.call_hook(f'after_{stage}')
    return metrics


@LOOPS.register_module()
class SemiValLoop(ValLoop):
    """``ValLoop`` that reports several networks: ``teacher/mIoU``, ``student/mIoU``, ...

    Args:
        *args: See mmengine's ``ValLoop``.
        networks: Names of the networks; all by default.
        **kwargs: See mmengine's ``ValLoop``.
    """

    def __init__(self, *args, networks: Sequence[str] | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.networks = networks

    def run(self) -> dict[str, float]:
        """Launches validation."""
        return evaluate_networks(self, self.networks, 'val')


@LOOPS.register_module()
class SemiTestLoop(TestLoop):
    """``TestLoop`` that reports several networks; see :class:`SemiValLoop`."""

    def __init__(self, *args, networks: Sequence[str] | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.networks = networks

    def run(self) -> dict[str, float]:
        """Launches the test."""
        return evaluate_networks(self, self.networks, 'test')
