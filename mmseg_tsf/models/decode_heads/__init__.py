"""Heads beside a segmentor's own: of errors, of flaws and of difficulty."""

from .difficulty_branch import DifficultyBranch
from .error_mask_decoder import ErrorMaskDecoder
from .flaw_detector import FlawDetector

__all__ = ['DifficultyBranch', 'ErrorMaskDecoder', 'FlawDetector']
