"""Hooks."""

from .adaptive_partner_hook import AdaptivePartnerHook
from .mean_teacher_hook import MeanTeacherHook
from .plar_hook import PLARHook
from .report_hook import ReportHook
from .semi_hook import SemiHook

__all__ = ['AdaptivePartnerHook', 'MeanTeacherHook', 'PLARHook', 'ReportHook', 'SemiHook']
