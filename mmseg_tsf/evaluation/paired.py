"""Differences between methods that were trained with the same seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping

from scipy.special import stdtrit

CONFIDENCE = 0.95
"""Probability with which an interval covers the true mean difference."""
WIN, LOSS, OPEN = 'win', 'loss', 'open'


def paired_difference(
    first: Mapping[int, float], second: Mapping[int, float], confidence: float = CONFIDENCE
) -> dict:
    """Mean difference over the seeds that both methods have, with Student's t interval.

    What a seed decides for both, such as the weights before the first question, cancels out in
    each difference. The interval assumes that the differences are normally distributed; it is not
    corrected for the number of comparisons.

    Args:
        first: Scores of a method by seed.
        second: Scores of another one by seed.
        confidence: Probability in (0, 1).

    Returns:
        dict: ``mean`` of first - second (``None`` without a common seed), ``low`` and ``high`` of
        the interval (``None`` below two seeds), the ``seeds``, and the ``verdict`` on the first
        method: ``'win'`` or ``'loss'`` where the interval excludes 0, else ``'open'``.
    """
    seeds = sorted(first.keys() & second.keys())
    differences = [first[seed] - second[seed] for seed in seeds]
    mean = statistics.fmean(differences) if seeds else None
    low = high = None
    if len(seeds) > 1:
        error = statistics.stdev(differences) / math.sqrt(len(seeds))
        reach = float(stdtrit(len(seeds) - 1, (1 + confidence) / 2)) * error
        low, high = mean - reach, mean + reach
    verdict = OPEN
    if low is not None:
        verdict = WIN if low > 0 else LOSS if high < 0 else OPEN
    return dict(mean=mean, low=low, high=high, seeds=seeds, verdict=verdict)


def compare_all(scores: Mapping[str, Mapping[int, float]]) -> list[dict]:
    """:func:`paired_difference` of every two methods, with their names ``first``, ``second``.

    Args:
        scores: Scores by seed of each method by name.
    """
    names = list(scores)
    return [
        dict(first=a, second=b, **paired_difference(scores[a], scores[b]))
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    ]


def count_wins(pairs: list[dict]) -> dict[str, dict[str, int]]:
    """How often each method wins, loses or neither, by name.

    Args:
        pairs: See :func:`compare_all`.
    """
    mirrored = {WIN: LOSS, LOSS: WIN, OPEN: OPEN}
    counts: dict[str, dict[str, int]] = {}
    for pair in pairs:
        for name, verdict in (
            (pair['first'], pair['verdict']),
            (pair['second'], mirrored[pair['verdict']]),
        ):
            own = counts.setdefault(name, {WIN: 0, LOSS: 0, OPEN: 0})
            own[verdict] += 1
    return counts
