"""Models: semi-supervised segmentors, mixing operations and their data preprocessor."""

from .data_preprocessor import SemiDataPreprocessor
from .decode_heads.error_mask_decoder import ErrorMaskDecoder
from .refinement.plar import PseudoLabelAutoRefinement
from .segmentors.adaptive_equalization_learning import AdaptiveEqualizationLearning
from .segmentors.cross_pseudo_supervision import CrossPseudoSupervision
from .segmentors.mean_teacher import MeanTeacher
from .segmentors.semi_base import SemiSegmentor
from .segmentors.supervised_only import SupervisedOnly
from .segmentors.teacher_student_friend import TeacherStudentFriend

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
