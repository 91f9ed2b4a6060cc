"""Composition of one demo picture: what stands where, painted from far to near."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from . import background, objects
from .canvas import VOID, Camera, Canvas
from .cars import CAR_COLOURS, car
from .mood import Mood, draw_mood, draw_weather, expose

SUPERSAMPLE = 2

# Distance, by which things are sorted, and the function that paints the thing.
Thing = tuple[float, Callable[[], None]]


def render(
    rng: np.random.Generator, size: tuple[int, int] = (96, 128), weather: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Paints one street.

    Args:
        rng: Source of everything random in the picture.
        size: Height and width of the result.
        weather: A key of ``WEATHER``; drawn by default.

    Returns:
        Image ``(H, W, 3)`` uint8 and class ids ``(H, W)`` uint8 with 255 for void.
    """
    shape = (size[0] * SUPERSAMPLE, size[1] * SUPERSAMPLE)
    mood = draw_mood(rng, weather or draw_weather(rng))
    canvas, layout = Canvas(shape, rng, _draw_camera(rng, *shape)), _draw_layout(rng)
    background.paint_sky(canvas, mood)
    background.paint_far_end(canvas, layout)
    background.paint_ground(canvas, mood, layout)
    things = _houses(canvas, mood, layout)
    things += _along_pavements(canvas, layout) + _traffic(canvas, layout)
    for _, thing in sorted(things, key=lambda item: -item[0]):
        thing()
    if rng.random() < 0.35:
        _bonnet(canvas)
    return expose(canvas, mood, SUPERSAMPLE)


def _draw_camera(rng: np.random.Generator, height: int, width: int) -> Camera:
    horizon = rng.uniform(0.28, 0.58) * height
    return Camera(
        horizon=horizon,
        vanishing_x=rng.uniform(0.2, 0.8) * width,
        ground_rows=height - horizon,
        height=rng.uniform(1.5, 2.7),
        nearest=rng.uniform(3.5, 5.5),
    )


def _draw_layout(rng: np.random.Generator) -> background.Layout:
    left_kerb, right_kerb = -rng.uniform(1.6, 6.0), rng.uniform(1.6, 6.0)
    return background.Layout(
        left_wall=left_kerb - rng.uniform(1.2, 5.0),
        left_kerb=left_kerb,
        right_kerb=right_kerb,
        right_wall=right_kerb + rng.uniform(1.2, 5.0),
        far=rng.uniform(45, 110),
    )


def _houses(canvas: Canvas, mood: Mood, layout: background.Layout) -> list[Thing]:
    rng = canvas.rng
    things: list[Thing] = []
    for wall in (layout.left_wall, layout.right_wall):
        density = rng.choice([0.15, 0.7, 0.95])
        near = rng.uniform(2.0, 6.0)
        while near < layout.far:
            far = near + rng.uniform(5, 16)
            if rng.random() < density:
                setback = np.sign(wall) * rng.choice([0.0, 0.0, rng.uniform(0, 4)])
                place = (wall + setback, (near, far))
                # Sorted by the far end, as things in front of a facade are painted after it.
                things.append((far, partial(background.house, canvas, mood, *place)))
            near = far + rng.choice([0.0, rng.uniform(1, 5)])
    return things


def _along_pavements(canvas: Canvas, layout: background.Layout) -> list[Thing]:
    rng, camera = canvas.rng, canvas.camera
    things: list[Thing] = []

    def place(
        kind: Callable[..., None], count: int, spread: tuple[float, float], farthest: float
    ) -> None:
        for _ in range(count):
            left = rng.random() < 0.5
            kerb = layout.left_kerb if left else layout.right_kerb
            wall = layout.left_wall if left else layout.right_wall
            x = kerb + (wall - kerb) * rng.uniform(*spread)
            # Uniform in 1 / distance, which spreads things evenly over the rows of the picture.
            distance = 1.0 / rng.uniform(1 / farthest, 1 / (camera.nearest * 1.4))
            things.append((distance, partial(kind, canvas, x, distance)))

    leafy = rng.choice([0.5, 2.5, 7.0])
    place(objects.tree, rng.poisson(leafy), (0.25, 1.5), 55.0)
    place(objects.pole, rng.poisson(1.6), (0.08, 0.25), 35.0)
    place(objects.sign, rng.poisson(1.5), (0.05, 0.3), 30.0)
    place(objects.person, rng.poisson(1.8), (-0.4, 0.9), 30.0)
    place(objects.clutter, rng.poisson(0.6), (0.1, 0.9), 55.0)
    return things


def _traffic(canvas: Canvas, layout: background.Layout) -> list[Thing]:
    rng, camera = canvas.rng, canvas.camera
    things: list[Thing] = []
    for kerb in (layout.left_kerb, layout.right_kerb):
        distance = camera.nearest + rng.uniform(1.0, 12.0)
        parked = rng.choice([0.0, 0.3, 0.8])
        while distance < 45:
            if rng.random() < parked:
                x = kerb - np.sign(kerb) * 1.0
                things.append((distance, partial(car, canvas, x, distance, False)))
            distance += rng.uniform(5.0, 9.0)
    for _ in range(rng.poisson(0.8)):
        distance = 1.0 / rng.uniform(1 / 50, 1 / (camera.nearest * 1.6))
        x = rng.uniform(layout.left_kerb + 1, layout.right_kerb - 1)
        things.append((distance, partial(car, canvas, x, distance, rng.random() < 0.25)))
    return things


def _bonnet(canvas: Canvas) -> None:
    """Bonnet of the camera's own car at the lower border, which is void."""
    rng = canvas.rng
    height, width = canvas.shape
    centre = (width * rng.uniform(0.35, 0.65), height * 1.02)
    radii = (width * rng.uniform(0.35, 0.6), height * rng.uniform(0.06, 0.13))
    canvas.fill(
        canvas.ellipses([centre], [radii]), canvas.pick_colour(CAR_COLOURS, 0.04), VOID, 0.0
    )
