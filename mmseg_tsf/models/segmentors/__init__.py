"""One template and one short file per method."""

from .adaptive_equalization_learning import AdaptiveEqualizationLearning
from .batch import SemiBatch, View
from .cross_pseudo_supervision import CrossPseudoSupervision
from .mean_teacher import MeanTeacher
from .semi_base import SemiSegmentor, SupervisedOnly
from .teacher_student_friend import TeacherStudentFriend

__all__ = [
    'AdaptiveEqualizationLearning',
    'CrossPseudoSupervision',
    'MeanTeacher',
    'SemiBatch',
    'SemiSegmentor',
    'SupervisedOnly',
    'TeacherStudentFriend',
    'View',
]
