"""Generated street pictures for the demo data set: numpy, SciPy and Pillow only."""

from .canvas import CLASSES, VOID
from .scene import render

__all__ = ['CLASSES', 'VOID', 'render']
