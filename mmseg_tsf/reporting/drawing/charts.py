"""Line charts as SVG, coloured by the page's style sheet.

They are not drawn by matplotlib because they follow the reader's light or dark theme, show values
on hover and change their layout with the width of the screen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTHS = dict(wide=880, narrow=340)
"""Widths in pixels of the two drawings of a chart, for desktops and for phones."""
MOST_POINTS = 300
NUM_STYLES = 7
MARKERS = ('circle', 'square', 'diamond', 'triangle')
MARGIN = dict(left=46, right=14, top=26, bottom=42)


@dataclass
class Series:
    """One line of a chart.

    Attributes:
        name: Name in the legend.
        points: ``(x, y)`` sorted by x; points that are not finite are left out.
        deviations: Deviation of y at each point, drawn as error bars; ``None`` for no bars.
        style: Index of the colour and the marker, see the style sheet.
        markers: Whether points are marked.
        flat: Whether the line is a level across the whole width, given by a single point.
    """

    name: str
    points: Sequence[tuple[float, float]]
    deviations: Sequence[float | None] | None = None
    style: int = 0
    markers: bool = True
    flat: bool = False

    def __post_init__(self) -> None:
        deviations = self.deviations or [None] * len(self.points)
        whole = [
            (x, y, d)
            for (x, y), d in zip(self.points, deviations, strict=True)
            if math.isfinite(x) and math.isfinite(y)
        ]
        whole = thin(whole)
        self.points = [(x, y) for x, y, _ in whole]
        self.deviations = [d or 0.0 for _, _, d in whole]

    @property
    def kind(self) -> str:
        """CSS class of the path: ``'level'``, ``'line'`` (with markers) or ``'bare'``."""
        return 'level' if self.flat else 'line' if self.markers else 'bare'

    @property
    def key(self) -> dict[str, object]:
        """Entry in the legend."""
        return dict(name=self.name, style=self.style % NUM_STYLES, kind=self.kind)


def thin(points: list) -> list:
    """At most :data:`MOST_POINTS` evenly spaced points, the last one included."""
    if len(points) <= MOST_POINTS:
        return points
    step = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(i * step)] for i in range(MOST_POINTS)]


def line_chart(
    series: Sequence[Series],
    title: str,
    x_label: str,
    y_label: str,
    height: int = 320,
    zero: bool = False,
    widths: dict[str, int] = WIDTHS,
) -> dict[str, str]:
    """Drawings of one chart by width, see :data:`WIDTHS`; empty if there is nothing to draw.

    Args:
        series: Lines to draw.
        title: Text for screen readers; the page must hold the numbers in a table as well.
        x_label: Label below the x axis.
        y_label: Label above the y axis; may be empty.
        height: Height in pixels.
        zero: Whether the y axis begins at 0.
        widths: Names and widths in pixels of the drawings.
    """
    series = [line for line in series if line.points]
    if not any(not line.flat for line in series):
        return {}
    return {
        name: _Drawing(series, width, height, zero).draw(title, x_label, y_label)
        for name, width in widths.items()
    }


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers inside a range, about ``most`` of them or fewer."""
    if high <= low:
        return [low]
    raw = (high - low) / most
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A number as short text: ``12k``, ``0.25``, ``0.0012``."""
    if abs(value) >= 10000:
        return f'{value / 1e6:g}M' if abs(value) >= 1e6 else f'{value / 1e3:g}k'
    return f'{value:.4g}'


class _Drawing:
    def __init__(self, series: Sequence[Series], width: int, height: int, zero: bool) -> None:
        self.series, self.width, self.height = series, width, height
        xs = [x for line in series if not line.flat for x, _ in line.points]
        lows = [y - d for s in series for (_, y), d in zip(s.points, s.deviations, strict=True)]
        highs = [y + d for s in series for (_, y), d in zip(s.points, s.deviations, strict=True)]
        self.x_range = _padded(min(xs), max(xs), 0.02)
        low, high = _padded(min(lows), max(highs), 0.08)
        self.y_range = (0.0 if zero or min(lows) >= 0 > low else low, high)

    def x(self, value: float) -> float:
        low, high = self.x_range
        inner = self.width - MARGIN['left'] - MARGIN['right']
        return MARGIN['left'] + inner * (value - low) / (high - low)

    def y(self, value: float) -> float:
        low, high = self.y_range
        inner = self.height - MARGIN['top'] - MARGIN['bottom']
        return self.height - MARGIN['bottom'] - inner * (value - low) / (high - low)

    def draw(self, title: str, x_label: str, y_label: str) -> str:
        """Complete ``<svg>`` element."""
        parts = [
            f'<svg class="chart" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(title)}">',
            *self._axes(x_label),
            f'<text x="0" y="12">{escape(y_label)}</text>',
            *(part for line in self.series for part in self._line(line)),
            '</svg>',
        ]
        return ''.join(parts)

    def _axes(self, x_label: str) -> list[str]:
        left, right = MARGIN['left'], self.width - MARGIN['right']
        bottom, parts = self.height - MARGIN['bottom'], []
        for value in ticks(*self.y_range, 5):
            y = self.y(value)
            parts.append(f'<path class="grid" d="M{left} {y:.1f}H{right}"/>')
            parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" class="end">{number(value)}</text>')
        for value in ticks(*self.x_range, max(4, self.width // 90)):
            x = self.x(value)
            parts.append(f'<path class="tick" d="M{x:.1f} {bottom}v4"/>')
            text = f'<text x="{x:.1f}" y="{bottom + 18}" class="middle">{number(value)}</text>'
            parts.append(text)
        middle = (left + right) / 2
        parts.append(f'<path class="axis" d="M{left} {bottom}H{right}"/>')
        label = f'<text x="{middle}" y="{self.height - 4}" class="middle">{escape(x_label)}</text>'
        return [*parts, label]

    def _line(self, line: Series) -> list[str]:
        places = [(self.x(x), self.y(y)) for x, y in line.points]
        style = f's{line.style % NUM_STYLES}'
        if line.flat:
            y, right = places[0][1], self.width - MARGIN['right']
            return [f'<path class="{line.kind} {style}" d="M{MARGIN["left"]} {y:.1f}H{right}"/>']
        path = 'L'.join(f'{x:.1f} {y:.1f}' for x, y in places)
        parts = [f'<path class="{line.kind} {style}" d="M{path}"/>']
        for (_, value), (x, _), deviation in zip(line.points, places, line.deviations, strict=True):
            if deviation:
                ends = self.y(value - deviation), self.y(value + deviation)
                parts.append(
                    f'<path class="bar {style}" d="M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}"/>'
                )
        if line.markers:
            for (at, value), place in zip(line.points, places, strict=True):
                text = f'{escape(line.name)}: {number(value)} at {number(at)}'
                parts.append(marker(*place, line.style, f'<title>{text}</title>'))
        return parts


def marker(x: float, y: float, style: int, inside: str = '') -> str:
    """Marker of a point; its shape identifies the line for readers who cannot see the colour."""
    shape = MARKERS[style % len(MARKERS)]
    paths = dict(
        circle='m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z',
        square='m-3.6 -3.6h7.2v7.2h-7.2z',
        diamond='m0 -5l5 5l-5 5l-5 -5z',
        triangle='m0 -5l4.7 8.4h-9.4z',
    )
    return (
        f'<path class="mark s{style % NUM_STYLES}" d="M{x:.1f} {y:.1f}{paths[shape]}">'
        f'{inside}</path>'
    )


def _padded(low: float, high: float, share: float) -> tuple[float, float]:
    space = (high - low) * share or abs(high) * 0.05 or 1.0
    return low - space, high + space
