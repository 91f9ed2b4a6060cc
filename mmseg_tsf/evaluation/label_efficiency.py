"""What labels are worth: a score against what was spent for it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from ..utils.errors import UserError


def area_under_curve(spend: Sequence[float], score: Sequence[float]) -> float:
    """Mean height of a curve over its range of spend (AUBC): trapezoids, divided by the range.

    Args:
        spend: ``(R,)``, rising.
        score: ``(R,)``.

    Returns:
        float: In the unit of the score; of a single point its score.
    """
    spend, score = _checked(spend, score)
    if len(spend) == 1:
        return float(score[0])
    area = (np.diff(spend) * (score[1:] + score[:-1]) / 2).sum()
    return float(area / (spend[-1] - spend[0]))


def spend_to_reach(spend: Sequence[float], score: Sequence[float], target: float) -> float | None:
    """Least spend at which a curve, straight between its points, has a score.

    Args:
        spend: ``(R,)``, rising.
        score: ``(R,)``.
        target: The score.

    Returns:
        The first point's spend if it has the score already (less might have done), ``None`` if
        no point has it.
    """
    spend, score = _checked(spend, score)
    reached = np.nonzero(score >= target)[0]
    if not reached.size:
        return None
    i = reached[0]
    if i == 0:
        return float(spend[0])
    part = (target - score[i - 1]) / (score[i] - score[i - 1])
    return float(spend[i - 1] + part * (spend[i] - spend[i - 1]))


def mean_and_deviation(values: Sequence[float]) -> dict[str, float | None]:
    """``mean``, ``sd`` (of the sample; ``None`` for one value) and the number ``n``."""
    sd = statistics.stdev(values) if len(values) > 1 else None
    return dict(mean=statistics.fmean(values), sd=sd, n=len(values))


def mean_curve(curves: Sequence[Mapping[int, tuple[float, float]]]) -> list[dict]:
    """Curves of several seeds as one, round by round.

    Args:
        curves: ``(spend, score)`` by number of the round for each seed, the same rounds each.

    Returns:
        list[dict]: ``spend`` (mean) and ``mean``, ``sd``, ``n`` of the score for each round.
    """
    return [
        dict(
            spend=statistics.fmean(curve[number][0] for curve in curves),
            **mean_and_deviation([curve[number][1] for curve in curves]),
        )
        for number in sorted(curves[0])
    ]


def rising(curve: Mapping[int, tuple[float, float]]) -> list[tuple[float, float]]:
    """A curve by round as points of rising spend; of several at one spend the last counts."""
    return sorted(dict(curve[number] for number in sorted(curve)).items())


def summarise_curves(
    curves: Sequence[Mapping[int, tuple[float, float]]], full: float | None, share: float
) -> dict:
    """Figures of one method over seeds, by the rounds that every seed has.

    Args:
        curves: ``(spend, score)`` by number of the round for each seed.
        full: Score of the fully supervised model, if it is known.
        share: Share of that score, for ``spend_to_reach``.

    Returns:
        dict: ``curve``; ``aubc`` and ``final`` (the last score), each as by
        :func:`mean_and_deviation`; and where ``full`` is known ``share_of_full`` (of the last
        score) and ``spend_to_reach`` with the number of seeds that ``reached`` it, ``None`` if
        not all did; ``at_start`` of them had it at the first point already, so less might do.

    Raises:
        UserError: The seeds have no round in common.
    """
    common = set.intersection(*map(set, curves))  # as far as every seed has come
    if not common:
        raise UserError('the seeds were measured in no round that all of them have')
    curves = [{number: curve[number] for number in common} for curve in curves]
    columns = [tuple(zip(*rising(curve), strict=True)) for curve in curves]
    last = [curve[max(common)][1] for curve in curves]
    summary = dict(
        curve=mean_curve(curves),
        aubc=mean_and_deviation([area_under_curve(*column) for column in columns]),
        final=mean_and_deviation(last),
        share_of_full=None,
        spend_to_reach=None,
        reached=None,
        at_start=None,
    )
    if full is None:
        return summary
    spends = [spend_to_reach(*column, share * full) for column in columns]
    reached = [spend for spend in spends if spend is not None]
    summary.update(
        share_of_full=mean_and_deviation([score / full for score in last]),
        spend_to_reach=mean_and_deviation(reached) if len(reached) == len(curves) else None,
        reached=len(reached),
        at_start=sum(score[0] >= share * full for _, score in columns),
    )
    return summary


def _checked(spend: Sequence[float], score: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    spend, score = np.asarray(spend, float), np.asarray(score, float)
    if len(spend) != len(score) or not len(spend) or (np.diff(spend) <= 0).any():
        raise UserError('a curve needs points of rising spend, one score each')
    return spend, score
