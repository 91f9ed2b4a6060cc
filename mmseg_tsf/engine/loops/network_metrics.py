"""Metrics of several networks, and the names under which hooks ask for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.runner import Runner

from ...utils.errors import UserError


class NetworkMetrics(dict):
    """Metrics named ``<network>/<metric>``, which answer to plain names for one network, too.

    ``save_best='mIoU'`` and ``EarlyStoppingHook(monitor='mIoU')`` find what users of one network
    expect, while logs, tables and curves, which go through the items, have every value once.

    Args:
        values: Metrics by full name.
        shown: Name of the network that plain names mean.
    """

    def __init__(self, values: dict[str, float], shown: str) -> None:
        super().__init__(values)
        self.shown = shown

    def __missing__(self, key: str) -> float:
        full = f'{self.shown}/{key}'
        if not super().__contains__(full):
            raise KeyError(key)
        return super().__getitem__(full)

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or super().__contains__(f'{self.shown}/{key}')

    def get(self, key: str, default: float | None = None) -> float | None:
        """The value of a full or plain name."""
        try:
            return self[key]
        except KeyError:
            return default


def check_monitors(runner: Runner, networks: Sequence[str] | None) -> None:
    """Checks the metrics that hooks watch, as far as their names name a network.

    Args:
        runner: Runner before its training.
        networks: Names of the networks that the validation evaluates; ``None`` if its metrics
            have plain names.

    Raises:
        UserError: A hook watches a network that is not evaluated, or nothing is validated.
    """
    for key, name in _watched(runner):
        network, _, metric = name.rpartition('/')
        if runner.val_loop is None:
            raise UserError(f'{key}={name!r} watches a validation, but the config has no val_cfg')
        if networks is None and network:
            raise UserError(
                f'{key}={name!r} names a network, but val_cfg.type evaluates one alone: set '
                f"val_cfg.type='SemiValLoop', or {key}={metric!r}"
            )
        if networks is not None and network and network not in networks:
            raise UserError(
                f'{key}={name!r}: the validation evaluates {", ".join(networks)}; name one of '
                f'them, or {metric!r} for the one that predicts'
            )


def _watched(runner: Runner) -> Iterator[tuple[str, str]]:
    """Config keys and names of metrics that hooks watch."""
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            yield from (('save_best', name) for name in hook.save_best or () if name != 'auto')
        elif isinstance(hook, EarlyStoppingHook):
            yield 'EarlyStoppingHook.monitor', hook.monitor
