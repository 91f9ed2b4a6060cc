"""The generated street scenes of the demo."""

from .data_set import DemoStreetDataset

__all__ = ['DemoStreetDataset']
