"""Plain vision transformers such as DINOv2, as UniMatch V2 uses them (Yang et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmseg.models.backbones import TIMMBackbone
from mmseg.models.decode_heads import DPTHead
from mmseg.registry import MODELS
from torch import Tensor

from ...utils.errors import UserError


@MODELS.register_module()
class TIMMVisionTransformer(TIMMBackbone):
    """A vision transformer of timm that shows several of its layers as maps of patches.

    Position embeddings are resampled to the size of the images, which must be a multiple of the
    patch.

    Args:
        model_name: Name in timm, such as ``'vit_small_patch14_dinov2.lvd142m'``.
        out_indices: Numbers of the layers to show.
        norm: Whether the final norm is applied to each of them, as DINOv2's own code does.
        weights: File of weights in timm's names, ``'hub'`` for those that timm fetches, or ``''``
            for random ones.
        **kwargs: Options of the model, such as ``drop_path_rate``.

    Raises:
        UserError: timm is not installed, or the file does not exist; in a forward pass, the images
            have another size.
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] = (2, 5, 8, 11),
        norm: bool = True,
        weights: str = '',
        init_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        try:
            from timm.models._features import FeatureGetterNet
        except ImportError as error:
            raise UserError(
                "backbone.type='TIMMVisionTransformer' needs timm: pip install timm"
            ) from error
        if weights not in ('', 'hub'):
            if not Path(weights).is_file():
                raise UserError(f'backbone.weights={weights} does not exist')
            kwargs['pretrained_cfg_overlay'] = dict(file=weights)
        super().__init__(
            model_name,
            pretrained=bool(weights),
            init_cfg=init_cfg,
            out_indices=tuple(out_indices),
            feature_cls=partial(FeatureGetterNet, norm=norm),
            dynamic_img_size=True,
            **kwargs,
        )
        self.patch_size = self.timm_model.model.patch_embed.patch_size

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps ``(N, C, H / p, W / p)`` of images ``(N, 3, H, W)``, for patches of p pixels."""
        size, patch = images.shape[2:], self.patch_size
        if size[0] % patch[0] or size[1] % patch[1]:
            raise UserError(
                f'images of {size[0]}x{size[1]} pixels do not divide into patches of '
                f'{patch[0]}x{patch[1]}: set crop_size and data_preprocessor.size to multiples, '
                f'and data_preprocessor.test_cfg=dict(size_divisor={patch[0]})'
            )
        return super().forward(images)


@MODELS.register_module()
class DenseDPTHead(DPTHead):
    """MMSegmentation's ``DPTHead`` for backbones that give maps without a class token."""

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits ``(N, K, h, w)`` from maps ``(N, C, h, w)`` of several layers."""
        return super().forward([(own, None) for own in inputs])
