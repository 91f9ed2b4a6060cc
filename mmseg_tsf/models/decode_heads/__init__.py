"""Decode heads."""

from .error_mask_decoder import ErrorMaskDecoder

__all__ = ['ErrorMaskDecoder']
