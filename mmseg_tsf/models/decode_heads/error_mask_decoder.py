"""The error mask decoder (EMD): where a pseudo-label is wrong (paper section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from torch import Tensor, nn

from ...utils.errors import UserError
from ..utils.labels import IGNORE_INDEX, hard_labels


@MODELS.register_module()
class ErrorMaskDecoder(BaseDecodeHead):
    """Predicts per pixel whether the pseudo-label of a network is wrong.

    Three convolutions with normalisation and activation on ``[F1, F2, softmax]``, concatenated
    on the grid of ``F2``, then one logit. It learns on labelled images from
    ``1[pseudo-label != ground truth]`` by MMSeg's binary cross entropy (equation 5); its inputs
    carry no gradient, so it moves nothing but itself.

    Args:
        in_channels: Channels of F1, F2 and the softmax: ``(256, 256, K)`` for DeepLabV3+ with
            ``channels=256``; 531 together for the paper's 19 classes.
        channels: Width of the three convolutions.
        kernel_sizes: Their kernels. The first sees all input channels, so that a 3x3 there is
            most of the cost.
        threshold: Error probability above which a pixel is flagged (the paper: 0.5), in (0, 1).
        loss_decode: MMSeg's loss; ``class_weight=[w]`` weights the wrong pixels, which get rare
            as training over-fits the labelled images. Void pixels have no loss, but count in the
            mean unless it has ``avg_non_ignore=True``, for which the host waits for the device.
        **kwargs: See ``BaseDecodeHead``.

    Raises:
        UserError: Not three inputs, no convolution, or a threshold outside (0, 1).
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int = 64,
        kernel_sizes: Sequence[int] = (1, 3, 3),
        threshold: float = 0.5,
        loss_decode: dict | None = None,
        **kwargs,
    ) -> None:
        if len(in_channels) != 3:
            raise UserError(
                f'error_head.in_channels={tuple(in_channels)} must be the channels of the two '
                'taps and the number of classes'
            )
        if not kernel_sizes:
            raise UserError('error_head.kernel_sizes is empty: the paper has three convolutions')
        if any(kernel < 1 or kernel % 2 == 0 for kernel in kernel_sizes):
            raise UserError(
                f'error_head.kernel_sizes={tuple(kernel_sizes)} must be odd: others change the '
                'size of the map'
            )
        if not 0 < threshold < 1:
            raise UserError(f'error_head.threshold={threshold} must lie in (0, 1)')
        kwargs.setdefault('dropout_ratio', 0.0)
        kwargs.setdefault('norm_cfg', dict(type='BN'))
        kwargs.setdefault('align_corners', False)
        super().__init__(
            in_channels=[in_channels[1], in_channels[0], in_channels[2]],
            in_index=[1, 0, 2],  # MMSeg resizes to the first of them: the grid of F2
            channels=channels,
            num_classes=1,
            input_transform='resize_concat',
            threshold=threshold,
            loss_decode=loss_decode or dict(type='CrossEntropyLoss', use_sigmoid=True),
            **kwargs,
        )
        widths = [self.in_channels] + [channels] * len(kernel_sizes)
        self.convs = nn.Sequential(
            *(
                ConvModule(
                    widths[i],
                    channels,
                    kernel,
                    padding=kernel // 2,
                    norm_cfg=self.norm_cfg,
                    act_cfg=self.act_cfg,
                )
                for i, kernel in enumerate(kernel_sizes)
            )
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Error logits.

        Args:
            inputs: F1 ``(N, C1, h1, w1)``, F2 ``(N, C2, h, w)`` and softmax ``(N, K, ., .)``.

        Returns:
            Tensor: ``(N, 1, h, w)``.
        """
        inputs = [x.detach() for x in inputs]
        return self.cls_seg(self.convs(self._transform_inputs(inputs)))

    def loss_on(self, logits: Tensor, probs: Tensor, ground_truth: Tensor) -> Tensor:
        """Binary cross entropy to the network's errors on labelled images (equation 5).

        Args:
            logits: ``(N, 1, h, w)`` of this head.
            probs: ``(N, K, H, W)`` the network's probabilities (or logits) at label size.
            ground_truth: ``(N, H, W)`` int64, 255 = void, which does not count.

        Returns:
            Tensor: Scalar.
        """
        wrong = (hard_labels(probs) != ground_truth).long()
        wrong = wrong.masked_fill(ground_truth == IGNORE_INDEX, IGNORE_INDEX)
        logits = resize(
            logits.float(), wrong.shape[1:], mode='bilinear', align_corners=self.align_corners
        )
        # without the channel MMSeg's loss does not look at the labels on the host
        return self.loss_decode(logits.squeeze(1), wrong, ignore_index=IGNORE_INDEX)
