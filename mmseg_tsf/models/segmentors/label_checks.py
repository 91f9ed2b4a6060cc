"""Whether heads, losses and preprocessor agree on what a label means."""

from __future__ import annotations

from collections.abc import Iterator

from mmseg.models.losses import CrossEntropyLoss
from torch import nn

from ...utils.errors import UserError
from ..utils.labels import IGNORE_INDEX

BINARY = (
    "num_classes=2, out_channels=1, threshold=0.5, loss_decode=dict(type='CrossEntropyLoss', "
    'use_sigmoid=True)'
)


def check_labels(name: str, network: nn.Module) -> None:
    """Checks the classes, the threshold and the void label of a segmentor's heads.

    Args:
        name: Config key of the segmentor.
        network: An ``EncoderDecoder``.

    Raises:
        UserError: Pseudo-labels and predictions would differ, a class would be missing, or void
            pixels would count as a class; the message names the key.
    """
    _check_binary(f'{name}.decode_head', network.decode_head)
    for key, module in _heads_and_losses(name, network):
        for option in ('ignore_index', 'ignore_label'):
            value = getattr(module, option, None)
            if value not in (IGNORE_INDEX, None):
                raise UserError(
                    f'{key}.{option}={value}: pixels without a label are 255 everywhere here, so '
                    'leave it out, and write void pixels of masks as 255'
                )


def check_padding(preprocessor: nn.Module) -> None:
    """Checks that the preprocessor pads label maps with the void label.

    Raises:
        UserError: It pads with a class, which would count as labelled by people.
    """
    value = getattr(preprocessor, 'seg_pad_val', IGNORE_INDEX)
    if value != IGNORE_INDEX:
        raise UserError(
            f'data_preprocessor.seg_pad_val={value} labels the padding of all images, as if people '
            'had given it: set it to 255'
        )


def _check_binary(key: str, head: nn.Module) -> None:
    if head.num_classes == 1:
        raise UserError(
            f'{key}.num_classes=1 has no class beside the background: set {BINARY}, and name both '
            'classes in metainfo'
        )
    if head.out_channels != 1:
        return
    if head.threshold != 0.5:
        raise UserError(
            f'{key}.threshold={head.threshold}: pseudo-labels take the likelier of two classes, '
            'predictions would not; set threshold=0.5 (MMSeg takes 0.3 if it is left out), and '
            'another one in the config of the exported network if need be'
        )
    losses = head.loss_decode
    for loss in losses if isinstance(losses, nn.ModuleList) else [losses]:
        if isinstance(loss, CrossEntropyLoss) and not loss.use_sigmoid:
            raise UserError(
                f'{key}.out_channels=1 has no softmax to learn by: set {BINARY}, or leave out '
                'out_channels'
            )


def _heads_and_losses(name: str, network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Heads of a segmentor and their losses, with their config keys."""
    heads = [(f'{name}.decode_head', network.decode_head)]
    if network.with_auxiliary_head:
        others = network.auxiliary_head
        many = isinstance(others, nn.ModuleList)
        keys = [f'{name}.auxiliary_head[{i}]' for i in range(len(others))] if many else None
        heads += zip(keys, others, strict=True) if many else [(f'{name}.auxiliary_head', others)]
    for key, head in heads:
        yield key, head
        losses = getattr(head, 'loss_decode', None)
        if isinstance(losses, nn.ModuleList):
            yield from ((f'{key}.loss_decode[{i}]', loss) for i, loss in enumerate(losses))
        elif losses is not None:
            yield f'{key}.loss_decode', losses
