"""Canvas with labels, pinhole camera and noise, with which the demo street is painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ('sky', 'building', 'road', 'pavement', 'tree', 'car', 'person', 'pole', 'sign')
SKY, BUILDING, ROAD, PAVEMENT, TREE, CAR, PERSON, POLE, SIGN = range(len(CLASSES))
VOID = 255

Colour = Sequence[float] | np.ndarray
Point = tuple[float, float]


def noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: float, octaves: int = 3
) -> np.ndarray:
    """Smooth random field with mean 0 and a deviation of about 1.

    Args:
        rng: Random generator.
        shape: Height and width of the field.
        cells: Number of bumps over the field's height; every octave doubles it.
        octaves: Number of layers, each half as strong as the one before.

    Returns:
        Array of ``shape``, float32.
    """
    height, width = shape
    variance = 0.0
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        rows = max(2, round(cells * 2**octave))
        columns = max(2, round(rows * width / height))
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        layer = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(layer) * np.float32(0.5**octave)
        # Interpolation averages neighbours and leaves two thirds of their variance.
        variance += 0.66 * 0.25**octave
    return total / np.float32(variance**0.5)


def pick_colour(rng: np.random.Generator, table: Sequence[Colour], jitter: float) -> np.ndarray:
    """Random colour of ``table`` with noise of deviation ``jitter`` on its channels."""
    colour = np.asarray(table[rng.integers(len(table))], np.float32)
    shared = rng.normal(0.0, jitter)
    return np.clip(colour + shared + rng.normal(0.0, jitter / 2, 3), 0.02, 1.0).astype(np.float32)


@dataclass(frozen=True)
class Camera:
    """Pinhole camera that looks along the street; metres in, canvas pixels out.

    ``x`` points right, ``up`` from the ground, ``distance`` along the street. The lowest row of
    the canvas shows the ground at ``nearest`` metres.
    """

    horizon: float
    vanishing_x: float
    ground_rows: float
    height: float
    nearest: float

    def scale(self, distance: float | np.ndarray) -> float | np.ndarray:
        """Pixels per metre at ``distance``."""
        return self.ground_rows / self.height * self.nearest / distance

    def point(self, x: float, up: float, distance: float) -> Point:
        """Position of a point in space on the canvas."""
        scale = self.scale(distance)
        return self.vanishing_x + x * scale, self.horizon + (self.height - up) * scale

    def ground_distance(self, rows: np.ndarray) -> np.ndarray:
        """Distance of the ground seen in canvas ``rows``; infinite above the horizon."""
        below = np.maximum((rows - self.horizon) / self.ground_rows, 1e-3)
        return np.where(rows > self.horizon, self.nearest / below, np.inf).astype(np.float32)


@dataclass
class Canvas:
    """Image, label and distance of every pixel, painted together from far to near.

    Attributes:
        shape: Height and width in canvas pixels.
        rng: Source of everything random that is painted.
        camera: Projection of points in the street.
    """

    shape: tuple[int, int]
    rng: np.random.Generator
    camera: Camera
    image: np.ndarray = field(init=False)
    label: np.ndarray = field(init=False)
    distance: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.image = np.zeros((*self.shape, 3), np.float32)
        self.label = np.full(self.shape, VOID, np.uint8)
        self.distance = np.full(self.shape, np.inf, np.float32)

    def noise(self, cells: float, octaves: int = 3) -> np.ndarray:
        """Random field of the canvas' size, see :func:`noise`."""
        return noise(self.rng, self.shape, cells, octaves)

    def pick_colour(self, table: Sequence[Colour], jitter: float) -> np.ndarray:
        """Random colour, see :func:`pick_colour`."""
        return pick_colour(self.rng, table, jitter)

    def stamp(self, draw: Callable[[ImageDraw.ImageDraw], object]) -> np.ndarray:
        """Boolean mask ``(H, W)`` of the pixels that ``draw`` paints with ``fill=1``."""
        stencil = Image.new('L', self.shape[::-1])
        draw(ImageDraw.Draw(stencil))
        return np.asarray(stencil) > 0

    def polygons(self, outlines: Sequence[Sequence[Point]]) -> np.ndarray:
        """Mask of the union of polygons."""

        def draw(pen: ImageDraw.ImageDraw) -> None:
            for outline in outlines:
                pen.polygon([(float(x), float(y)) for x, y in outline], fill=1)

        return self.stamp(draw)

    def ellipses(self, centres: Sequence[Point], radii: Sequence[Point]) -> np.ndarray:
        """Mask of the union of axis-parallel ellipses."""

        def draw(pen: ImageDraw.ImageDraw) -> None:
            for (x, y), (a, b) in zip(centres, radii, strict=True):
                pen.ellipse((x - a, y - b, x + a, y + b), fill=1)

        return self.stamp(draw)

    def fill(
        self,
        mask: np.ndarray,
        colour: Colour,
        label: int | None = None,
        distance: float | np.ndarray | None = None,
        texture: np.ndarray | None = None,
    ) -> None:
        """Paints ``colour`` inside ``mask``; ``None`` keeps the previous label or distance.

        Args:
            mask: Pixels to paint, ``(H, W)`` bool.
            colour: ``(3,)`` or ``(H, W, 3)``.
            label: Class id, or ``VOID``.
            distance: Distance from the camera in metres, one number or ``(H, W)``.
            texture: Factors on the colour, ``(H, W)``.
        """
        if not mask.any():
            return
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        inside = mask[window]
        paint = np.asarray(colour, np.float32)
        paint = paint[window][inside] if paint.ndim == 3 else paint
        if texture is not None:
            paint = paint * texture[window][inside][:, None]
        self.image[window][inside] = paint
        if label is not None:
            self.label[window][inside] = label
        if distance is not None:
            if isinstance(distance, np.ndarray):
                distance = np.broadcast_to(distance, self.shape)[window][inside]
            self.distance[window][inside] = distance

    def shade(self, mask: np.ndarray, factor: float | np.ndarray) -> None:
        """Multiplies the colours inside ``mask`` by a factor."""
        gain = np.broadcast_to(np.asarray(factor, np.float32), self.shape)
        self.image[mask] *= gain[mask][:, None]
