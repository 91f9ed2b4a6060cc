"""Vision transformers of timm, and the decode head that reads their maps."""

from .vision_transformer import DenseDPTHead, TIMMVisionTransformer

__all__ = ['DenseDPTHead', 'TIMMVisionTransformer']
