"""Annotators: simulated from ground truth, or people who answer by files or Label Studio."""

from .base import Oracle, Pending
from .folder import FolderOracle
from .label_studio_oracle import LabelStudioOracle
from .simulated import GroundTruthOracle, NoisyOracle

__all__ = [
    'FolderOracle',
    'GroundTruthOracle',
    'LabelStudioOracle',
    'NoisyOracle',
    'Oracle',
    'Pending',
]
