"""Pseudo-label auto-refinement: tensor functions, and the module that puts them together."""

from ..utils.grid import labels_to_grid, nearest
from .class_memory import ClassMemory
from .class_statistics import ClassStatistics, class_statistics
from .class_thresholds import ClassThresholds
from .distances import euclidean_distances, hybrid_distances, mahalanobis_distances
from .kriging import Kriging, krige
from .options import PAPER
from .paste import paste_corrections
from .plar import PseudoLabelAutoRefinement
from .references import reference_labels
from .result import Refinement
from .weight_module import WeightModule, weight_loss

__all__ = [
    'PAPER',
    'ClassMemory',
    'ClassStatistics',
    'ClassThresholds',
    'Kriging',
    'PseudoLabelAutoRefinement',
    'Refinement',
    'WeightModule',
    'class_statistics',
    'euclidean_distances',
    'hybrid_distances',
    'krige',
    'labels_to_grid',
    'mahalanobis_distances',
    'nearest',
    'paste_corrections',
    'reference_labels',
    'weight_loss',
]
