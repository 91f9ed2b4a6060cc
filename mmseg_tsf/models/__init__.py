"""Models: semi-supervised segmentors, mixing operations and their data preprocessor."""

from .data_preprocessor import SemiDataPreprocessor
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
    'MeanTeacher',
    'SemiDataPreprocessor',
    'SemiSegmentor',
    'SupervisedOnly',
    'TeacherStudentFriend',
]
