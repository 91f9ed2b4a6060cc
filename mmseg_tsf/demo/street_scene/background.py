"""Background of the street: sky, ground and houses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .canvas import BUILDING, PAVEMENT, ROAD, SKY, Canvas, Point
from .mood import Mood

ROAD_COLOURS = [
    (0.2, 0.2, 0.21), (0.3, 0.3, 0.3), (0.4, 0.4, 0.4), (0.5, 0.49, 0.47), (0.36, 0.31, 0.27),
]  # fmt: skip
PAVEMENT_COLOURS = [
    (0.36, 0.36, 0.36), (0.5, 0.5, 0.49), (0.62, 0.6, 0.56), (0.52, 0.36, 0.3), (0.55, 0.5, 0.38),
    (0.27, 0.27, 0.28),
]  # fmt: skip
WALL_COLOURS = [
    (0.45, 0.25, 0.19), (0.6, 0.38, 0.28), (0.66, 0.6, 0.48), (0.76, 0.72, 0.64), (0.5, 0.5, 0.5),
    (0.33, 0.34, 0.36), (0.62, 0.67, 0.72), (0.4, 0.5, 0.6), (0.7, 0.6, 0.35), (0.4, 0.46, 0.36),
    (0.82, 0.82, 0.8), (0.22, 0.2, 0.2),
]  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """Positions of the street's borders, from left to right, and its far end, in metres."""

    left_wall: float
    left_kerb: float
    right_kerb: float
    right_wall: float
    far: float


def paint_sky(canvas: Canvas, mood: Mood) -> None:
    """Paints a vertical gradient, a glow on the side of the sun, and clouds."""
    height, width = canvas.shape
    rise = np.clip(np.arange(height)[:, None] / max(canvas.camera.horizon, 1.0), 0.0, 1.0) ** 1.2
    sky = mood.zenith + (mood.skyline - mood.zenith) * rise[..., None]
    clouds = canvas.noise(3, 4)
    cover = 1.0 / (1.0 + np.exp(-3.0 * (clouds - canvas.rng.uniform(-0.8, 1.2))))
    cloud_colour = canvas.pick_colour([(0.9, 0.9, 0.9), (0.6, 0.61, 0.64), (0.75, 0.66, 0.6)], 0.04)
    sky = sky + (cloud_colour - sky) * (cover * min(2.0 * mood.cloud, 0.85))[..., None]
    columns = np.linspace(-1, 1, width)[None, :]
    sky = sky * (1.0 + 0.12 * mood.sun_side * columns[..., None])
    canvas.fill(np.ones(canvas.shape, bool), sky.astype(np.float32), SKY, np.inf)


def paint_ground(canvas: Canvas, mood: Mood, layout: Layout) -> None:
    """Paints the road and its pavements with markings, patches, puddles and shadows."""
    height, width = canvas.shape
    rows = np.arange(height, dtype=np.float32)[:, None] + 0.5
    distance = canvas.camera.ground_distance(rows)
    across = np.arange(width)[None, :] + 0.5 - canvas.camera.vanishing_x
    across = across / canvas.camera.scale(np.minimum(distance, 1e4))
    ground = np.broadcast_to(rows > canvas.camera.horizon, canvas.shape)
    road = ground & (across > layout.left_kerb) & (across < layout.right_kerb)
    depth = np.minimum(distance, 200.0)
    slabs = canvas.rng.uniform(0.6, 1.2)
    joints = ((across % slabs) < 0.08) | ((depth % slabs) < 0.09)
    paved = 1.0 + 0.08 * canvas.noise(12) - 0.2 * (joints & (depth < 18))
    canvas.fill(ground, canvas.pick_colour(PAVEMENT_COLOURS, 0.05), PAVEMENT, depth, paved)
    patches = 1.0 + 0.06 * canvas.noise(40, 1) + 0.09 * canvas.noise(5, 3)
    canvas.fill(road, canvas.pick_colour(ROAD_COLOURS, 0.05), ROAD, depth, patches)
    kerb_width = canvas.rng.uniform(0.1, 0.3)
    for kerb in (layout.left_kerb, layout.right_kerb):
        canvas.shade(ground & (np.abs(across - kerb) < kerb_width), canvas.rng.uniform(0.6, 1.5))
    _lane_marks(canvas, road, across, depth, layout)
    if mood.wetness:
        _wet(canvas, ground, mood)
    _shadows(canvas, ground, across, depth, mood, layout)


def _lane_marks(
    canvas: Canvas,
    road: np.ndarray,
    across: np.ndarray,
    depth: np.ndarray,
    layout: Layout,
) -> None:
    style = canvas.rng.choice(
        ['none', 'dashed', 'double', 'edges', 'zebra'], p=[0.2, 0.3, 0.15, 0.15, 0.2]
    )
    if style == 'none':
        return
    middle = (layout.left_kerb + layout.right_kerb) / 2
    centre = np.abs(across - middle)
    if style == 'dashed':
        marks = (centre < 0.09) & ((depth + canvas.rng.uniform(0, 6)) % 6 < 3)
    elif style == 'double':
        marks = (centre > 0.08) & (centre < 0.22)
    elif style == 'edges':
        inner = np.minimum(across - layout.left_kerb, layout.right_kerb - across)
        marks = (np.abs(inner - 0.5) < 0.08) | ((centre < 0.09) & (depth % 5 < 2))
    else:
        start = canvas.rng.uniform(6, 16)
        marks = (depth > start) & (depth < start + 3) & (across % 1.0 < 0.5)
    worn = canvas.noise(20, 2) > -1.2
    paint = canvas.pick_colour([(0.85, 0.85, 0.83), (0.65, 0.65, 0.63), (0.8, 0.65, 0.15)], 0.04)
    canvas.fill(marks & road & worn, paint)


def _wet(canvas: Canvas, ground: np.ndarray, mood: Mood) -> None:
    """Paints puddles that mirror the sky, so that road pixels look like sky."""
    horizon = int(canvas.camera.horizon)
    mirror_rows = np.clip(2 * horizon - np.arange(canvas.shape[0]), 0, max(horizon - 1, 0))
    mirror = canvas.image[mirror_rows]
    puddles = np.clip(canvas.noise(4, 3) * 0.5 + 0.4, 0.0, 1.0) * mood.wetness
    puddles = (puddles * ground)[..., None]
    canvas.image += (0.9 * mirror - canvas.image) * puddles


def _shadows(
    canvas: Canvas,
    ground: np.ndarray,
    across: np.ndarray,
    depth: np.ndarray,
    mood: Mood,
    layout: Layout,
) -> None:
    """Shades the ground beside the houses on the side of the sun, in bands with gaps."""
    rng, width = canvas.rng, layout.right_wall - layout.left_wall
    reach = rng.uniform(0.1, 0.9) * width
    edge = reach * (0.6 + 0.4 * np.sign(np.sin(depth / rng.uniform(2.0, 6.0) + rng.uniform(0, 6))))
    from_wall = across - layout.left_wall if mood.sun_side < 0 else layout.right_wall - across
    dark = ground & (from_wall < edge)
    dapple = ground & (canvas.noise(10, 3) > canvas.rng.uniform(0.8, 2.5))
    canvas.shade(dark | dapple, 1.0 - 0.75 * mood.sun_strength)


def paint_far_end(canvas: Canvas, layout: Layout) -> None:
    """Paints a row of houses along the horizon that closes the street."""
    texture = 1.0 + 0.12 * canvas.noise(40, 2)
    x = -60.0
    while x < 60.0:
        width, height = canvas.rng.uniform(6, 16), canvas.rng.uniform(3, 18)
        if canvas.rng.random() < 0.75:
            corners = ((x, 0), (x + width, 0), (x + width, height), (x, height))
            outline = [canvas.camera.point(px, up, layout.far) for px, up in corners]
            colour = canvas.pick_colour(WALL_COLOURS, 0.05)
            canvas.fill(canvas.polygons([outline]), colour, BUILDING, layout.far, texture)
        x += width


def house(
    canvas: Canvas,
    mood: Mood,
    wall: float,
    depth: tuple[float, float],
) -> None:
    """Paints a house whose facade runs along the street at ``x = wall`` from near to far."""
    near, far = depth
    rng = canvas.rng
    height = float(rng.choice([rng.uniform(4, 8), rng.uniform(8, 16), rng.uniform(16, 35)]))
    outward = np.sign(wall) * rng.uniform(6, 14)
    colour = canvas.pick_colour(WALL_COLOURS, 0.06)
    sunlit = 1.0 + 0.35 * mood.sun_strength * (-1 if mood.sun_side == np.sign(wall) else 1)

    def gable(u: float, up: float) -> Point:
        return canvas.camera.point(wall + outward * u / abs(outward), up, near)

    def facade(u: float, up: float) -> Point:
        return canvas.camera.point(wall, up, near + u)

    grain = 1.0 + 0.09 * canvas.noise(14, 2)
    for project, length, light in ((gable, abs(outward), 0.8), (facade, far - near, sunlit)):
        _wall(canvas, project, (length, height), colour * light, grain, near)


def _wall(
    canvas: Canvas,
    project: Callable[[float, float], Point],
    size: tuple[float, float],
    colour: np.ndarray,
    grain: np.ndarray,
    distance: float,
) -> None:
    length, height = size
    outline = [project(u, up) for u, up in ((0, 0), (length, 0), (length, height), (0, height))]
    mask = canvas.polygons([outline])
    if not mask.any():
        return
    canvas.fill(mask, colour, BUILDING, distance, grain)
    storey, bay = canvas.rng.uniform(2.6, 3.6), canvas.rng.uniform(1.6, 3.5)
    tall, wide = storey * canvas.rng.uniform(0.35, 0.65), bay * canvas.rng.uniform(0.35, 0.8)
    panes = [
        [project(u + a * wide, up + b * tall) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
        for up in np.arange(1.0, height - tall, storey)
        for u in np.arange(0.4, length - wide, bay)
    ]
    glass = [(0.1, 0.12, 0.15), (0.3, 0.36, 0.42), (0.6, 0.66, 0.72), (0.85, 0.75, 0.45)]
    canvas.fill(canvas.polygons(panes), canvas.pick_colour(glass, 0.04), texture=grain)
    if canvas.rng.random() < 0.35:
        # A shop front is as bright as a sign but belongs to the building.
        band = [project(u, up) for u, up in ((0, 2.6), (length, 2.6), (length, 3.3), (0, 3.3))]
        canvas.fill(canvas.polygons([band]), canvas.rng.uniform(0.1, 0.8, 3))
