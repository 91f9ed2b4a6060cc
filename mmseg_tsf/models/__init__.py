"""Models: semi-supervised segmentors, mixing operations and their data preprocessor."""

from .data_preprocessor import SemiDataPreprocessor
from .decode_heads import ErrorMaskDecoder
from .refinement import PseudoLabelAutoRefinement
from .segmentors import (
    AdaptiveEqualizationLearning,
    CrossPseudoSupervision,
    MeanTeacher,
    SemiSegmentor,
    SupervisedOnly,
    TeacherStudentFriend,
)

__all__ = [
    'AdaptiveEqualizationLearning',
    'CrossPseudoSupervision',
    'ErrorMaskDecoder',
    'MeanTeacher',
    'PseudoLabelAutoRefinement',
    'SemiDataPreprocessor',
    'SemiSegmentor',
    'SupervisedOnly',
    'TeacherStudentFriend',
]
