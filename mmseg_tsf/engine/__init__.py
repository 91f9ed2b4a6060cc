"""Hooks, loops and optimisers for mmengine's runner."""

from .hooks.adaptive_partner_hook import AdaptivePartnerHook
from .hooks.mean_teacher_hook import MeanTeacherHook
from .hooks.plar_hook import PLARHook
from .hooks.report_hook import ReportHook
from .hooks.semi_hook import SemiHook
from .loops.active_learning_loop import ActiveLearningLoop
from .loops.first_stage_loop import FirstStageLoop
from .loops.semi_val_loop import SemiTestLoop, SemiValLoop
from .optimizers import FusedAdamW

__all__ = [
    'ActiveLearningLoop',
    'AdaptivePartnerHook',
    'FirstStageLoop',
    'FusedAdamW',
    'MeanTeacherHook',
    'PLARHook',
    'ReportHook',
    'SemiHook',
    'SemiTestLoop',
    'SemiValLoop',
]
