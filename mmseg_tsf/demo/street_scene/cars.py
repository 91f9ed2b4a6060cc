"""Boxes in perspective, and cars built from them."""

from __future__ import annotations

import numpy as np

from .canvas import CAR, Camera, Canvas, Colour, Point

# Some colours match shadows and roads, so that the colour alone does not identify a car.
CAR_COLOURS = [
    (0.06, 0.06, 0.07), (0.16, 0.17, 0.19), (0.4, 0.41, 0.43), (0.62, 0.63, 0.64),
    (0.85, 0.85, 0.83), (0.55, 0.1, 0.09), (0.12, 0.2, 0.45), (0.13, 0.3, 0.2),
    (0.75, 0.62, 0.15), (0.42, 0.3, 0.2), (0.3, 0.5, 0.62),
]  # fmt: skip
GLASS = np.array((0.13, 0.15, 0.17), np.float32)

Span = tuple[float, float]


def box_faces(camera: Camera, x: Span, up: Span, distance: Span) -> dict[str, list[Point]]:
    """Outlines of the visible faces of an upright box."""

    def face(*corners: tuple[float, float, float]) -> list[Point]:
        return [camera.point(*corner) for corner in corners]

    (left, right), (low, high), (near, far) = x, up, distance
    faces = {}
    if high < camera.height:
        faces['top'] = face(
            (left, high, near), (right, high, near), (right, high, far), (left, high, far)
        )
    side = left if left > 0 else right if right < 0 else None
    if side is not None:
        faces['side'] = face(
            (side, low, near), (side, high, near), (side, high, far), (side, low, far)
        )
    faces['front'] = face(
        (left, low, near), (right, low, near), (right, high, near), (left, high, near)
    )
    return faces


def paint_box(
    canvas: Canvas, x: Span, up: Span, distance: Span, colour: Colour, label: int
) -> None:
    """Paints a box with a light top, a shaded side and the full colour in front."""
    shades = {'top': 1.3, 'side': 0.7, 'front': 1.0}
    for name, outline in box_faces(canvas.camera, x, up, distance).items():
        mask = canvas.polygons([outline])
        canvas.fill(mask, np.asarray(colour) * shades[name], label, distance[0])


def car(
    canvas: Canvas,
    x: float,
    distance: float,
    crossing: bool,
) -> None:
    """Paints a car or van; ``crossing`` shows its flank instead of its rear."""
    van = canvas.rng.random() < 0.22
    height = canvas.rng.uniform(1.9, 2.5) if van else canvas.rng.uniform(1.3, 1.6)
    width, length = canvas.rng.uniform(1.65, 1.95), canvas.rng.uniform(3.5, 4.8)
    if crossing:
        width, length = length, width
    colour = canvas.pick_colour(CAR_COLOURS, 0.04)
    sides, belt = (x - width / 2, x + width / 2), height * canvas.rng.uniform(0.55, 0.65)
    shadow = canvas.polygons([
        [canvas.camera.point(px, 0.0, d) for px, d in (
            (sides[0] - 0.2, distance - 0.2), (sides[1] + 0.2, distance - 0.2),
            (sides[1] + 0.2, distance + length), (sides[0] - 0.2, distance + length))]
    ])  # fmt: skip
    canvas.shade(shadow, 0.4)
    _wheels(canvas, sides, distance, crossing)
    paint_box(canvas, sides, (0.3, belt), (distance, distance + length), colour, CAR)
    inset = (0.25, 0.6 if van else 1.0) if crossing else (0.12, 0.12)
    cabin = (sides[0] + inset[0], sides[1] - inset[1])
    cabin_depth = (distance + (0.05 if crossing or van else 0.45), distance + 0.75 * length)
    paint_box(canvas, cabin, (belt, height), cabin_depth, colour * 0.85, CAR)
    _car_details(canvas, cabin, sides, (belt, height), distance, crossing)


def _wheels(canvas: Canvas, sides: Span, distance: float, crossing: bool) -> None:
    radius = 0.36 if crossing else 0.2
    inset = 0.8 if crossing else 0.25
    camera, scale = canvas.camera, float(canvas.camera.scale(distance))
    centres = [camera.point(px, 0.33, distance) for px in (sides[0] + inset, sides[1] - inset)]
    mask = canvas.ellipses(centres, [(radius * scale, 0.35 * scale)] * 2)
    canvas.fill(mask, (0.05, 0.05, 0.05), CAR, distance)


def _car_details(
    canvas: Canvas,
    cabin: Span,
    sides: Span,
    heights: Span,
    distance: float,
    crossing: bool,
) -> None:
    belt, roof = heights
    edges = np.linspace(cabin[0] + 0.08, cabin[1] - 0.08, 3 if crossing else 2)
    panes = [
        [
            canvas.camera.point(px, up, distance + 0.2)
            for px, up in ((a, belt), (b, belt), (b, roof - 0.12), (a, roof - 0.12))
        ]
        for a, b in zip(edges[:-1] + 0.03, edges[1:] - 0.03, strict=True)
    ]
    canvas.fill(canvas.polygons(panes), GLASS * canvas.rng.uniform(0.6, 3.0), CAR)
    if crossing:
        return
    scale = float(canvas.camera.scale(distance))
    lamps = [canvas.camera.point(px, 0.75, distance) for px in (sides[0] + 0.2, sides[1] - 0.2)]
    lamp = (0.8, 0.1, 0.08) if canvas.rng.random() < 0.6 else (0.95, 0.93, 0.8)
    canvas.fill(canvas.ellipses(lamps, [(0.14 * scale, 0.1 * scale)] * 2), lamp, CAR)
    plate = canvas.camera.point((sides[0] + sides[1]) / 2, 0.55, distance)
    canvas.fill(canvas.ellipses([plate], [(0.25 * scale, 0.07 * scale)]), (0.8, 0.8, 0.7), CAR)
