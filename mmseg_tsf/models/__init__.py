"""Models: semi-supervised segmentors, mixing, refinement and their data preprocessor."""

from . import segmentors
from .backbones import DenseDPTHead, TIMMVisionTransformer
from .data_preprocessor import SemiDataPreprocessor
from .decode_heads import DifficultyBranch, ErrorMaskDecoder, FlawDetector
from .refinement.plar import PseudoLabelAutoRefinement
from .segmentors import *  # noqa: F403

__all__ = [
    'DenseDPTHead',
    'DifficultyBranch',
    'ErrorMaskDecoder',
    'FlawDetector',
    'PseudoLabelAutoRefinement',
    'SemiDataPreprocessor',
    'TIMMVisionTransformer',
    *segmentors.__all__,
]
