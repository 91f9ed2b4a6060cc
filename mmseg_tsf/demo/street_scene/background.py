"""What the street consists of before anything stands in it: sky, ground and houses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .canvas import BUILDING, PAVEMENT, ROAD, SKY, Camera, Canvas, Point, noise, pick_colour
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
    """Borders across the street in metres, from the left wall to the right, and its far end."""

    left_wall: float
    left_kerb: float
    right_kerb: float
    right_wall: float
    far: float


def paint_sky(canvas: Canvas, mood: Mood, camera: Camera, rng: np.random.Generator) -> None:
    """A vertical gradient, a glow around the sun and clouds that stretch sideways."""
    height, width = canvas.shape
    rise = np.clip(np.arange(height)[:, None] / max(camera.horizon, 1.0), 0.0, 1.0) ** 1.2
    sky = mood.zenith + (mood.skyline - mood.zenith) * rise[..., None]
    clouds = noise(rng, (height, width), 3, 4)
    cover = 1.0 / (1.0 + np.exp(-3.0 * (clouds - rng.uniform(-0.8, 1.2))))
    cloud_colour = pick_colour(rng, [(0.9, 0.9, 0.9), (0.6, 0.61, 0.64), (0.75, 0.66, 0.6)], 0.04)
    sky = sky + (cloud_colour - sky) * (cover * min(2.0 * mood.cloud, 0.85))[..., None]
    columns = np.linspace(-1, 1, width)[None, :]
    sky = sky * (1.0 + 0.12 * mood.sun_side * columns[..., None])
    canvas.fill(np.ones(canvas.shape, bool), sky.astype(np.float32), SKY, np.inf)


def paint_ground(
    canvas: Canvas, mood: Mood, camera: Camera, layout: Layout, rng: np.random.Generator
) -> None:
    """Pavement on both sides of a road with marks, cracks, patches, puddles and shadows."""
    height, width = canvas.shape
    rows = np.arange(height, dtype=np.float32)[:, None] + 0.5
    distance = camera.ground_distance(rows)
    across = np.arange(width)[None, :] + 0.5 - camera.vanishing_x
    across = across / camera.scale(np.minimum(distance, 1e4))
    ground = np.broadcast_to(rows > camera.horizon, canvas.shape)
    road = ground & (across > layout.left_kerb) & (across < layout.right_kerb)
    depth = np.minimum(distance, 200.0)
    slabs = rng.uniform(0.6, 1.2)
    joints = ((across % slabs) < 0.08) | ((depth % slabs) < 0.09)
    paved = 1.0 + 0.08 * noise(rng, canvas.shape, 12) - 0.2 * (joints & (depth < 18))
    canvas.fill(ground, pick_colour(rng, PAVEMENT_COLOURS, 0.05), PAVEMENT, depth, paved)
    patches = 1.0 + 0.06 * noise(rng, canvas.shape, 40, 1) + 0.09 * noise(rng, canvas.shape, 5, 3)
    canvas.fill(road, pick_colour(rng, ROAD_COLOURS, 0.05), ROAD, depth, patches)
    kerb_width = rng.uniform(0.1, 0.3)
    for kerb in (layout.left_kerb, layout.right_kerb):
        canvas.shade(ground & (np.abs(across - kerb) < kerb_width), rng.uniform(0.6, 1.5))
    _lane_marks(canvas, road, across, depth, layout, rng)
    if mood.wetness:
        _wet(canvas, ground, mood, camera, rng)
    _shadows(canvas, ground, across, depth, mood, layout, rng)


def _lane_marks(
    canvas: Canvas,
    road: np.ndarray,
    across: np.ndarray,
    depth: np.ndarray,
    layout: Layout,
    rng: np.random.Generator,
) -> None:
    style = rng.choice(
        ['none', 'dashed', 'double', 'edges', 'zebra'], p=[0.2, 0.3, 0.15, 0.15, 0.2]
    )
    if style == 'none':
        return
    middle = (layout.left_kerb + layout.right_kerb) / 2
    centre = np.abs(across - middle)
    if style == 'dashed':
        marks = (centre < 0.09) & ((depth + rng.uniform(0, 6)) % 6 < 3)
    elif style == 'double':
        marks = (centre > 0.08) & (centre < 0.22)
    elif style == 'edges':
        inner = np.minimum(across - layout.left_kerb, layout.right_kerb - across)
        marks = (np.abs(inner - 0.5) < 0.08) | ((centre < 0.09) & (depth % 5 < 2))
    else:
        start = rng.uniform(6, 16)
        marks = (depth > start) & (depth < start + 3) & (across % 1.0 < 0.5)
    worn = noise(rng, canvas.shape, 20, 2) > -1.2
    paint = pick_colour(rng, [(0.85, 0.85, 0.83), (0.65, 0.65, 0.63), (0.8, 0.65, 0.15)], 0.04)
    canvas.fill(marks & road & worn, paint)


def _wet(
    canvas: Canvas, ground: np.ndarray, mood: Mood, camera: Camera, rng: np.random.Generator
) -> None:
    """Mirror the sky in puddles: a road that looks like sky."""
    horizon = int(camera.horizon)
    mirror_rows = np.clip(2 * horizon - np.arange(canvas.shape[0]), 0, max(horizon - 1, 0))
    mirror = canvas.image[mirror_rows]
    puddles = np.clip(noise(rng, canvas.shape, 4, 3) * 0.5 + 0.4, 0.0, 1.0) * mood.wetness
    puddles = (puddles * ground)[..., None]
    canvas.image += (0.9 * mirror - canvas.image) * puddles


def _shadows(
    canvas: Canvas,
    ground: np.ndarray,
    across: np.ndarray,
    depth: np.ndarray,
    mood: Mood,
    layout: Layout,
    rng: np.random.Generator,
) -> None:
    """Houses shade the ground on the side away from the sun, in bands with gaps."""
    width = layout.right_wall - layout.left_wall
    reach = rng.uniform(0.1, 0.9) * width
    edge = reach * (0.6 + 0.4 * np.sign(np.sin(depth / rng.uniform(2.0, 6.0) + rng.uniform(0, 6))))
    from_wall = across - layout.left_wall if mood.sun_side < 0 else layout.right_wall - across
    dark = ground & (from_wall < edge)
    dapple = ground & (noise(rng, canvas.shape, 10, 3) > rng.uniform(0.8, 2.5))
    canvas.shade(dark | dapple, 1.0 - 0.75 * mood.sun_strength)


def paint_far_end(canvas: Canvas, camera: Camera, layout: Layout, rng: np.random.Generator) -> None:
    """A row of roofs along the horizon that closes the street."""
    texture = 1.0 + 0.12 * noise(rng, canvas.shape, 40, 2)
    x = -60.0
    while x < 60.0:
        width, height = rng.uniform(6, 16), rng.uniform(3, 18)
        if rng.random() < 0.75:
            corners = ((x, 0), (x + width, 0), (x + width, height), (x, height))
            outline = [camera.point(px, up, layout.far) for px, up in corners]
            colour = pick_colour(rng, WALL_COLOURS, 0.05)
            canvas.fill(canvas.polygons([outline]), colour, BUILDING, layout.far, texture)
        x += width


def house(
    canvas: Canvas,
    camera: Camera,
    mood: Mood,
    rng: np.random.Generator,
    wall: float,
    depth: tuple[float, float],
) -> None:
    """One house whose facade runs along the street at ``x = wall`` from near to far."""
    near, far = depth
    height = float(rng.choice([rng.uniform(4, 8), rng.uniform(8, 16), rng.uniform(16, 35)]))
    outward = np.sign(wall) * rng.uniform(6, 14)
    colour = pick_colour(rng, WALL_COLOURS, 0.06)
    sunlit = 1.0 + 0.35 * mood.sun_strength * (-1 if mood.sun_side == np.sign(wall) else 1)

    def gable(u: float, up: float) -> Point:
        return camera.point(wall + outward * u / abs(outward), up, near)

    def facade(u: float, up: float) -> Point:
        return camera.point(wall, up, near + u)

    grain = 1.0 + 0.09 * noise(rng, canvas.shape, 14, 2)
    for project, length, light in ((gable, abs(outward), 0.8), (facade, far - near, sunlit)):
        _wall(canvas, rng, project, (length, height), colour * light, grain, near)


def _wall(
    canvas: Canvas,
    rng: np.random.Generator,
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
    storey, bay = rng.uniform(2.6, 3.6), rng.uniform(1.6, 3.5)
    tall, wide = storey * rng.uniform(0.35, 0.65), bay * rng.uniform(0.35, 0.8)
    panes = [
        [project(u + a * wide, up + b * tall) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
        for up in np.arange(1.0, height - tall, storey)
        for u in np.arange(0.4, length - wide, bay)
    ]
    glass = [(0.1, 0.12, 0.15), (0.3, 0.36, 0.42), (0.6, 0.66, 0.72), (0.85, 0.75, 0.45)]
    canvas.fill(canvas.polygons(panes), pick_colour(rng, glass, 0.04), texture=grain)
    if rng.random() < 0.35:
        # A shop front: as bright as a sign, yet part of the house.
        band = [project(u, up) for u, up in ((0, 2.6), (length, 2.6), (length, 3.3), (0, 3.3))]
        canvas.fill(canvas.polygons([band]), rng.uniform(0.1, 0.8, 3))
