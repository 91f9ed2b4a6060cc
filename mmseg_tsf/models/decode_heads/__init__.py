"""Heads beside a segmentor's own: of errors and of flaws."""

from .error_mask_decoder import ErrorMaskDecoder
from .flaw_detector import FlawDetector

__all__ = ['ErrorMaskDecoder', 'FlawDetector']
