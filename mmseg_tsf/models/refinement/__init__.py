"""Which pseudo-labels are in doubt (error mask), and what they should be (PLAR)."""

from .class_statistics import ClassStatistics, class_statistics
from .decisions import GridRefinement, paste_corrections
from .distances import euclidean_distances, hybrid_distances, mahalanobis_distances
from .kriging import Kriging, krige
from .label_refinement import LabelRefinement, RefinedLabels, error_mask
from .plar import PAPER, PseudoLabelAutoRefinement
from .vote import WeightModule, weight_loss

__all__ = [
    'PAPER',
    'ClassStatistics',
    'GridRefinement',
    'Kriging',
    'LabelRefinement',
    'PseudoLabelAutoRefinement',
    'RefinedLabels',
    'WeightModule',
    'class_statistics',
    'error_mask',
    'euclidean_distances',
    'hybrid_distances',
    'krige',
    'mahalanobis_distances',
    'paste_corrections',
    'weight_loss',
]
