"""Decode heads."""

from .error_mask_decoder import ErrorMaskDecoder, error_mask

__all__ = ['ErrorMaskDecoder', 'error_mask']
