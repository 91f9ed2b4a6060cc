"""One template and one short file per method."""

from .adaptive_equalization_learning import AdaptiveEqualizationLearning
from .batch import SemiBatch, View
from .cross_consistency_training import CrossConsistencyTraining
from .cross_pseudo_supervision import CrossPseudoSupervision
from .difficulty_aware_learning import DifficultyAwareLearning
from .guided_collaborative_training import GuidedCollaborativeTraining
from .mean_teacher import MeanTeacher
from .perturbed_strict_mean_teachers import PerturbedStrictMeanTeachers
from .self_training import SelfTraining
from .semi_base import SemiSegmentor, SupervisedOnly
from .teacher_student_friend import TeacherStudentFriend
from .unimatch import UniMatch, UniMatchV2
from .unreliable_pseudo_labels import UnreliablePseudoLabels

__all__ = [
    'AdaptiveEqualizationLearning',
    'CrossConsistencyTraining',
    'CrossPseudoSupervision',
    'DifficultyAwareLearning',
    'GuidedCollaborativeTraining',
    'MeanTeacher',
    'PerturbedStrictMeanTeachers',
    'SelfTraining',
    'SemiBatch',
    'SemiSegmentor',
    'SupervisedOnly',
    'TeacherStudentFriend',
    'UniMatch',
    'UniMatchV2',
    'UnreliablePseudoLabels',
    'View',
]
