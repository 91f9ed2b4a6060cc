"""Hooks, loops and optimisers for mmengine's runner."""

from .hooks import AdaptivePartnerHook, MeanTeacherHook, PLARHook, ReportHook, SemiHook
from .loops import ActiveLearningLoop, SemiTestLoop, SemiValLoop
from .optimizers import FusedAdamW

__all__ = [
    'ActiveLearningLoop',
    'AdaptivePartnerHook',
    'FusedAdamW',
    'MeanTeacherHook',
    'PLARHook',
    'ReportHook',
    'SemiHook',
    'SemiTestLoop',
    'SemiValLoop',
]
