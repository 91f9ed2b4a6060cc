"""Trees, persons, poles, signs and clutter."""

from __future__ import annotations

import numpy as np

from .canvas import PERSON, POLE, SIGN, TREE, VOID, Canvas, Point
from .cars import CAR_COLOURS, paint_box

# The tables deliberately overlap each other and those of cars and walls (green signs in front of
# leaves, grey coats in front of grey walls), so that the colour alone does not identify a class.
LEAF_COLOURS = [
    (0.16, 0.3, 0.09), (0.22, 0.38, 0.14), (0.1, 0.2, 0.09), (0.35, 0.42, 0.16),
    (0.5, 0.42, 0.13), (0.48, 0.24, 0.1), (0.32, 0.3, 0.24), (0.3, 0.4, 0.34),
]  # fmt: skip
CLOTHES_COLOURS = [
    (0.08, 0.08, 0.1), (0.2, 0.22, 0.28), (0.45, 0.43, 0.4), (0.7, 0.68, 0.62), (0.6, 0.12, 0.1),
    (0.15, 0.25, 0.5), (0.2, 0.4, 0.2), (0.75, 0.55, 0.1), (0.42, 0.3, 0.2),
]  # fmt: skip
SKIN_COLOURS = [(0.8, 0.62, 0.5), (0.6, 0.42, 0.3), (0.35, 0.23, 0.16)]
POLE_COLOURS = [(0.1, 0.1, 0.1), (0.35, 0.36, 0.36), (0.6, 0.6, 0.58), (0.14, 0.24, 0.16)]
SIGN_COLOURS = [
    (0.7, 0.1, 0.1), (0.12, 0.25, 0.6), (0.1, 0.4, 0.22), (0.85, 0.7, 0.12), (0.85, 0.85, 0.83),
    (0.2, 0.2, 0.2),
]  # fmt: skip
BARK_COLOURS = [(0.2, 0.15, 0.1), (0.3, 0.27, 0.24), (0.42, 0.38, 0.32)]


def tree(canvas: Canvas, x: float, distance: float) -> None:
    """Paints a trunk with a crown of noisy leaves, or a bush."""
    bush = canvas.rng.random() < 0.25
    crown = canvas.rng.uniform(0.6, 1.0) if bush else canvas.rng.uniform(1.3, 3.0)
    centre_up = crown * 0.7 if bush else canvas.rng.uniform(2.6, 5.5) + crown * 0.4
    scale = float(canvas.camera.scale(distance))
    if not bush:
        half = canvas.rng.uniform(0.1, 0.22)
        trunk = [canvas.camera.point(x + s * half, up, distance)
                 for s, up in ((-1, 0), (1, 0), (0.6, centre_up), (-0.6, centre_up))]  # fmt: skip
        bark = canvas.pick_colour(BARK_COLOURS, 0.03)
        canvas.fill(canvas.polygons([trunk]), bark, TREE, distance)
    blobs = int(canvas.rng.integers(4, 10))
    spread = canvas.rng.normal(0.0, crown * 0.45, (blobs, 2))
    centres = [canvas.camera.point(x + dx, centre_up + dy, distance) for dx, dy in spread]
    sizes = canvas.rng.uniform(0.4, 0.8, blobs) * crown * scale
    mask = canvas.ellipses(centres, [(size, size * 0.85) for size in sizes])
    leaves = canvas.noise(float(np.clip(60 / (crown * scale) * 6, 12, 48)), 2)
    airy = canvas.rng.uniform(-2.2, -0.7)
    mask &= leaves > airy
    rows = np.arange(canvas.shape[0], dtype=np.float32)[:, None]
    top = canvas.camera.point(x, centre_up + crown, distance)[1]
    gradient = np.clip(1.25 - 0.5 * (rows - top) / (2.2 * crown * scale), 0.5, 1.25)
    texture = np.clip(1.0 + canvas.rng.uniform(0.15, 0.4) * leaves, 0.2, 2.2) * gradient
    canvas.fill(mask, canvas.pick_colour(LEAF_COLOURS, 0.05), TREE, distance, texture)


def person(canvas: Canvas, x: float, distance: float) -> None:
    """Paints legs, a coat, a head and sometimes a bag."""
    height, stride = canvas.rng.uniform(1.45, 1.95), canvas.rng.uniform(0.05, 0.3)
    scale = float(canvas.camera.scale(distance))
    hip, neck, girth = height * 0.48, height * 0.83, canvas.rng.uniform(0.2, 0.3)

    def outline(corners: list[Point]) -> np.ndarray:
        return canvas.polygons([[canvas.camera.point(x + dx, up, distance) for dx, up in corners]])

    trousers = canvas.pick_colour(CLOTHES_COLOURS, 0.04)
    for side in (-1, 1):
        foot = side * stride
        leg = [(0.0, hip), (side * 0.17, hip), (foot + 0.1, 0.0), (foot - 0.1, 0.0)]
        canvas.fill(outline(leg), trousers * (1.0 if side < 0 else 0.8), PERSON, distance)
    coat = canvas.pick_colour(CLOTHES_COLOURS, 0.05)
    hem = hip - canvas.rng.uniform(0.0, 0.3)
    torso = [(-girth, hem), (girth, hem), (girth * 1.1, neck), (-girth * 1.1, neck)]
    canvas.fill(outline(torso), coat, PERSON, distance)
    if canvas.rng.random() < 0.3:
        bag = canvas.camera.point(x + girth, hip + 0.1, distance)
        mask = canvas.ellipses([bag], [(0.16 * scale, 0.2 * scale)])
        canvas.fill(mask, canvas.pick_colour(CLOTHES_COLOURS, 0.05), PERSON, distance)
    head = canvas.ellipses(
        [canvas.camera.point(x, height - 0.13, distance)], [(0.12 * scale, 0.16 * scale)]
    )
    hair = canvas.rng.random() < 0.5
    canvas.fill(
        head,
        canvas.pick_colour(CLOTHES_COLOURS[:3] if hair else SKIN_COLOURS, 0.03),
        PERSON,
        distance,
    )


def pole(canvas: Canvas, x: float, distance: float) -> None:
    """Paints a lamp post with an arm over the road, a plain post or a bollard."""
    height = canvas.rng.choice([1.1, 3.5, 6.5, 8.0])
    arm = -np.sign(x) * canvas.rng.uniform(0.8, 2.0) if height > 5 else 0.0
    _post(canvas, (x, height, arm), distance)


def _post(
    canvas: Canvas,
    post: tuple[float, float, float],
    distance: float,
) -> None:
    x, height, arm = post
    # Two canvas pixels are one output pixel; thinner posts would leave no label.
    width = max(2, round(canvas.rng.uniform(0.12, 0.24) * float(canvas.camera.scale(distance))))
    line = [canvas.camera.point(x, 0.0, distance), canvas.camera.point(x, height, distance)]
    if arm:
        line.append(canvas.camera.point(x + arm, height + 0.2, distance))
    mask = canvas.stamp(lambda pen: pen.line(line, fill=1, width=width))
    canvas.fill(mask, canvas.pick_colour(POLE_COLOURS, 0.04), POLE, distance)


def sign(canvas: Canvas, x: float, distance: float) -> None:
    """Paints a round, triangular or square sign on a post."""
    up, size = canvas.rng.uniform(2.2, 3.2), canvas.rng.uniform(0.4, 0.65)
    _post(canvas, (x, up, 0.0), distance)
    corners = int(canvas.rng.choice([3, 4, 4, 24]))
    tall = canvas.rng.choice([1.0, 1.0, 1.8])
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) - np.pi / 2
    angles = angles + (np.pi / 4 if corners == 4 else 0.0)
    colour = canvas.pick_colour(SIGN_COLOURS, 0.04)
    other = canvas.pick_colour(SIGN_COLOURS, 0.04)
    for share, paint in ((1.0, colour), (canvas.rng.uniform(0.4, 0.75), other)):
        radius = size * share * (1.2 if corners == 4 else 1.0)
        plate = [
            canvas.camera.point(x + radius * np.cos(a), up - radius * tall * np.sin(a), distance)
            for a in angles
        ]
        canvas.fill(canvas.polygons([plate]), paint, SIGN, distance)


def clutter(canvas: Canvas, x: float, distance: float) -> None:
    """Paints a bin or box at the kerb, which is void."""
    wide, high = canvas.rng.uniform(0.4, 0.9), canvas.rng.uniform(0.5, 1.2)
    colour = canvas.pick_colour(CAR_COLOURS + LEAF_COLOURS, 0.05)
    box = ((x - wide / 2, x + wide / 2), (0.0, high), (distance, distance + wide))
    paint_box(canvas, *box, colour, VOID)
