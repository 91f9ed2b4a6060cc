"""Loops."""

from .semi_val_loop import SemiTestLoop, SemiValLoop

__all__ = ['SemiTestLoop', 'SemiValLoop']
