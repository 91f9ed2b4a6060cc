"""Who answers requests: ground truth, ground truth with mistakes, or people."""

from .base import Oracle, Pending
from .folder import FolderOracle
from .ground_truth import GroundTruthOracle
from .label_studio import LabelStudioOracle
from .noisy import NoisyOracle

__all__ = [
    'FolderOracle',
    'GroundTruthOracle',
    'LabelStudioOracle',
    'NoisyOracle',
    'Oracle',
    'Pending',
]
