"""Weather, light and camera faults of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .canvas import Canvas, noise, pick_colour


@dataclass(frozen=True)
class Mood:
    """Light and camera faults, drawn once per picture."""

    zenith: np.ndarray
    skyline: np.ndarray
    cloud: float
    sun_side: int
    sun_strength: float
    visibility: float
    exposure: float
    white_balance: np.ndarray
    gamma: float
    wetness: float
    noise: float
    blur: float


# zenith, skyline, cloud, sun strength, visibility in metres, exposure
WEATHER = {
    'sunny': ((0.25, 0.45, 0.8), (0.7, 0.8, 0.9), 0.35, 0.65, 400.0, 1.1),
    'overcast': ((0.6, 0.62, 0.65), (0.75, 0.76, 0.77), 0.12, 0.15, 150.0, 0.9),
    'dusk': ((0.25, 0.27, 0.42), (0.85, 0.55, 0.35), 0.4, 0.45, 120.0, 0.72),
    'fog': ((0.68, 0.69, 0.7), (0.74, 0.74, 0.74), 0.03, 0.05, 38.0, 0.9),
    'rain': ((0.35, 0.38, 0.42), (0.52, 0.54, 0.56), 0.25, 0.08, 70.0, 0.75),
    'hazy': ((0.62, 0.64, 0.6), (0.88, 0.83, 0.72), 0.1, 0.35, 80.0, 1.15),
}
WEATHER_SHARES = (0.34, 0.2, 0.14, 0.08, 0.12, 0.12)


def draw_weather(rng: np.random.Generator) -> str:
    """Random weather, a key of ``WEATHER``."""
    return list(WEATHER)[rng.choice(len(WEATHER), p=WEATHER_SHARES)]


def draw_mood(rng: np.random.Generator, weather: str) -> Mood:
    """Random light of a picture, between sunny and the given weather."""
    turned = rng.uniform()
    zenith, skyline, cloud, sun, visibility, exposure = (
        (1 - turned) * np.asarray(clear) + turned * np.asarray(own)
        for clear, own in zip(WEATHER['sunny'], WEATHER[weather], strict=True)
    )
    return Mood(
        zenith=pick_colour(rng, [zenith], 0.06),
        skyline=pick_colour(rng, [skyline], 0.05),
        cloud=cloud * rng.uniform(0.4, 1.4),
        sun_side=int(rng.choice([-1, 1])),
        sun_strength=sun * rng.uniform(0.6, 1.2),
        visibility=visibility * rng.uniform(0.6, 1.6),
        exposure=exposure * float(np.exp(rng.normal(0.0, 0.18))),
        white_balance=np.exp(rng.normal(0.0, 0.055, 3)).astype(np.float32),
        gamma=rng.uniform(0.8, 1.25),
        wetness=turned * rng.uniform(0.3, 0.8) if weather == 'rain' else 0.0,
        noise=rng.uniform(0.006, 0.03),
        blur=rng.uniform(0.0, 0.75),
    )


def expose(canvas: Canvas, mood: Mood, supersample: int) -> tuple[np.ndarray, np.ndarray]:
    """Turns the canvas into the picture that a cheap camera would store.

    Returns:
        Image ``(H, W, 3)`` uint8 and label ``(H, W)`` uint8, ``supersample`` times smaller.
    """
    rng = canvas.rng
    height, width = (side // supersample for side in canvas.shape)
    light = np.where(np.isinf(canvas.distance), 1.0, np.exp(-canvas.distance / mood.visibility))
    hazy = mood.skyline * 0.95 + (canvas.image - mood.skyline * 0.95) * light[..., None]
    image = hazy.reshape(height, supersample, width, supersample, 3).mean((1, 3))
    image = _lens(image, mood, rng)
    grain = rng.standard_normal(image.shape).astype(np.float32)
    # Sensors demosaic, so neighbouring pixels share part of their noise.
    grain = 0.7 * grain + 0.8 * ndimage.gaussian_filter(grain, (0.7, 0.7, 0.0))
    image = image + grain * mood.noise * np.sqrt(np.clip(image, 0.1, 1.0))
    # Takes one canvas pixel of each block, so that thin things keep some of their pixels.
    label = canvas.label[supersample // 2 :: supersample, supersample // 2 :: supersample]
    return (np.clip(image, 0.0, 1.0) * 255 + 0.5).astype(np.uint8), np.ascontiguousarray(label)


def _lens(image: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    uneven = 1.0 + 0.07 * noise(rng, (height, width), 2, 1)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = 1.0 - rng.uniform(0.0, 0.18) * (rows**2 + columns**2)
    gain = (mood.exposure * uneven * vignette).astype(np.float32)
    image = image * gain[..., None] * mood.white_balance
    # Compresses highlights instead of clipping them, so that clouds remain in a bright sky.
    image = np.where(image > 0.8, 0.8 + 0.2 * np.tanh((image - 0.8) / 0.2), image)
    image = np.clip(image, 0.0, 1.0) ** mood.gamma
    if rng.random() < 0.2:
        image = ndimage.uniform_filter1d(image, 3, axis=1)
    return ndimage.gaussian_filter(image, (mood.blur, mood.blur, 0.0))
