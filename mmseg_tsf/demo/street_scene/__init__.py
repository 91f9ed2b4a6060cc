"""Generates street pictures with their labels; needs NumPy, SciPy and Pillow only."""

from .canvas import CLASSES, VOID
from .mood import WEATHER, draw_weather
from .scene import render

__all__ = ['CLASSES', 'VOID', 'WEATHER', 'draw_weather', 'render']
