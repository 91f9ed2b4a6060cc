"""Positions of lines, and readable ticks."""

import re
from xml.etree import ElementTree

import pytest

from mmseg_tsf.reporting.drawing.charts import (
    MARGIN,
    MOST_POINTS,
    WIDTHS,
    Series,
    line_chart,
    number,
    ticks,
)


def drawn(series, **options):
    chart = line_chart(series, 'a <title>', 'x', 'y', height=300, **options)
    return {name: ElementTree.fromstring(svg) for name, svg in chart.items()}


def test_points_are_in_place_in_every_width():
    charts = drawn([Series('a & b', [(0, 10.0), (5, 30.0), (10, 20.0)])])
    assert set(charts) == set(WIDTHS)
    for name, svg in charts.items():
        assert svg.get('viewBox') == f'0 0 {WIDTHS[name]} 300'
        assert svg.get('aria-label') == 'a <title>'
        (line,) = (p for p in svg.iter('path') if p.get('class') == 'line s0')
        places = [tuple(map(float, at.split())) for at in re.split('[ML]', line.get('d')) if at]
        (x0, y0), (x1, y1), (x2, y2) = places
        assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)  # as far apart as 0, 5, 10
        assert y0 - y1 == pytest.approx(2 * (y0 - y2), abs=0.2)  # 30 is above 20 above 10
        assert MARGIN['left'] < x0 and x2 < WIDTHS[name] - MARGIN['right']
        titles = [title.text for title in svg.iter('title')]
        assert titles == ['a & b: 10 at 0', 'a & b: 30 at 5', 'a & b: 20 at 10']


def test_levels_deviations_and_what_is_no_number():
    lines = [
        Series('a', [(1, 5.0), (2, float('nan')), (3, 7.0)], [1.0, 1.0, None]),
        Series('full', [(0, 9.0)], style=1, flat=True),
        Series('lost', [(1, float('inf'))], style=2),
    ]
    svg = drawn(lines)['wide']
    classes = [path.get('class') for path in svg.iter('path')]
    assert classes.count('mark s0') == 2 and classes.count('bar s0') == 1
    assert classes.count('level s1') == 1 and 's2' not in ' '.join(classes)
    assert drawn(lines[1:]) == {}


def test_long_lines_keep_their_ends():
    line = Series('a', [(i, float(i)) for i in range(10_000)])
    assert len(line.points) == MOST_POINTS
    assert line.points[0] == (0, 0.0) and line.points[-1] == (9999, 9999.0)


@pytest.mark.parametrize(
    'low, high, most, expected',
    [
        (0, 100, 5, [0, 20, 40, 60, 80, 100]),
        (22.4, 31.0, 5, [24, 26, 28, 30]),
        (0.0, 0.012, 3, [0, 0.005, 0.01]),
        (3, 3, 5, [3]),
    ],
)
def test_ticks_are_round(low, high, most, expected):
    assert ticks(low, high, most) == pytest.approx(expected)


def test_numbers_are_short():
    assert [number(v) for v in (0, 0.25, 1234, 40000, 2_000_000, 0.00012)] == [
        '0',
        '0.25',
        '1234',
        '40k',
        '2M',
        '0.00012',
    ]
