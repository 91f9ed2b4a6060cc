"""Hooks and loops for mmengine's runner."""

from .hooks import AdaptivePartnerHook, MeanTeacherHook, SemiHook
from .loops import SemiTestLoop, SemiValLoop

__all__ = ['AdaptivePartnerHook', 'MeanTeacherHook', 'SemiHook', 'SemiTestLoop', 'SemiValLoop']
