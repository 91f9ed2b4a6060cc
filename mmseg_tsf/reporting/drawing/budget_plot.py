"""Curves of mIoU against what was spent, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

# Okabe and Ito's colours, which are safe for colour-blind readers; markers for print in grey
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
MARKERS = 'osD^vPX*'


def plot_curves(
    axes: Axes, curves: Sequence[tuple[str, list[dict]]], axis: str, title: str
) -> None:
    """Draws means over seeds as lines, sample deviations as error bars.

    Args:
        axes: Where to draw.
        curves: Label and points of each line, see
            :func:`~mmseg_tsf.evaluation.label_efficiency.mean_curve`.
        axis: Unit of the spend.
        title: Title of the plot.
    """
    axes.set_title(title, fontsize='small')
    for i, (label, curve) in enumerate(curves):
        axes.errorbar(
            [point['spend'] for point in curve],
            [point['mean'] for point in curve],
            yerr=[point['sd'] or 0 for point in curve],
            label=label,
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            linestyle='-' if i < len(COLOURS) else '--',
            capsize=3,
        )
    axes.set_xlabel(f'spent ({axis})')
    axes.set_ylabel('mIoU (%)')
    axes.grid(alpha=0.3)


def short_names(names: list[str]) -> tuple[list[str], str]:
    """Names of configs without the parts that all of them share, and the shared parts."""
    split = [name.split('_') for name in names]
    common = [part for part in split[0] if all(part in own for own in split)]
    if len(names) == 1:
        return names, ''
    short = [' '.join(part for part in own if part not in common) for own in split]
    return short, ', '.join(common)
