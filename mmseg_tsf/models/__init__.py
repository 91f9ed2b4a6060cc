"""Models: semi-supervised segmentors, mixing, refinement and their data preprocessor."""

from . import segmentors
from .data_preprocessor import SemiDataPreprocessor
from .decode_heads.error_mask_decoder import ErrorMaskDecoder
from .refinement.plar import PseudoLabelAutoRefinement
from .segmentors import *  # noqa: F403

__all__ = [
    'ErrorMaskDecoder',
    'PseudoLabelAutoRefinement',
    'SemiDataPreprocessor',
    *segmentors.__all__,
]
