"""Hooks, loops and optimisers for mmengine's runner."""

from .hooks import AdaptivePartnerHook, MeanTeacherHook, SemiHook
from .loops import SemiTestLoop, SemiValLoop
from .optimizers import FusedAdamW

__all__ = [
    'AdaptivePartnerHook',
    'FusedAdamW',
    'MeanTeacherHook',
    'SemiHook',
    'SemiTestLoop',
    'SemiValLoop',
]
