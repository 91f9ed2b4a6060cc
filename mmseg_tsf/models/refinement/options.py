"""The paper's rule by its options, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

from ...utils.errors import UserError
from .class_statistics import check_statistics_options
from .references import REFERENCES
from .rules import RULES

PAPER = dict(
    rule='vote',
    weights='learnt',
    reference='reliable+manual',
    min_pixels=8,
    covariance='class',
    shrinkage='ledoit_wolf',
    min_margin=0.0,
    reject_above=None,
    memory=None,
)
"""The paper's own rule: all options that bear on it, whatever the defaults are."""


def check_options(
    channels: Sequence[int],
    rule: str,
    weights: str,
    reference: str,
    enough_manual: int,
    temperature: float,
    min_margin: float,
    reject_above: float | None,
    memory: dict | None,
    **statistics,
) -> None:
    """Refuses options of ``PseudoLabelAutoRefinement``; see there.

    Raises:
        UserError: An option out of its range; names it.
    """
    if len(channels) != 2:
        raise UserError(
            f'PLAR reads two feature maps, channels={tuple(channels)} has {len(channels)}'
        )
    for name, value, known in (
        ('rule', rule, RULES),
        ('weights', weights, ('equal', 'learnt')),
        ('reference', reference, REFERENCES),
    ):
        if value not in known:
            raise UserError(f'{name} must be one of {", ".join(known)}, not {value!r}')
    check_statistics_options(**statistics)
    if enough_manual < 1:
        raise UserError(f'enough_manual must be at least 1, not {enough_manual}')
    if reference == 'by_count' and enough_manual < statistics['min_pixels']:
        raise UserError(
            f'enough_manual={enough_manual} is below min_pixels={statistics["min_pixels"]}: a '
            'class with manual pixels between the two would lose its reliable ones and be no '
            'candidate; raise enough_manual'
        )
    if temperature <= 0:
        raise UserError(f'temperature must be above 0, not {temperature}')
    if not 0 <= min_margin < 1:
        raise UserError(f'min_margin must be in [0, 1), not {min_margin}')
    if min_margin and rule == 'vote':
        raise UserError('min_margin is a gap of posteriors, which rule=vote does not have')
    _check_gaussians(rule, reject_above, memory)


def _check_gaussians(rule: str, reject_above: float | None, memory: dict | None) -> None:
    """Refuses options of the rules that compare a pixel with the classes' Gaussians."""
    for name, value in (('reject_above', reject_above), ('memory', memory)):
        if value is not None and rule == 'kriging':
            raise UserError(f'{name} is about Gaussians of classes, which rule=kriging has not')
    if reject_above is not None and reject_above <= 0:
        raise UserError(f'reject_above must be above 0 (or None), not {reject_above}')
    momentum = (memory or {}).get('momentum', 0.0)
    if not 0 <= momentum < 1:
        raise UserError(f'memory must have a momentum in [0, 1), not {momentum}')
