"""What can be wrapped and what can be loaded, said in one sentence each."""

from __future__ import annotations

import torch
from mmengine.logging import print_log
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS

from ...utils.errors import UserError

NETWORKS = ('teacher', 'student', 'friend')


def check_segmentor(cfg: dict) -> None:
    """Refuses a segmentor config that the template can not wrap.

    Raises:
        UserError: Not a plain ``EncoderDecoder``, or a head that gives no logit map per pixel.
    """
    name = cfg.get('type')
    segmentor = MODELS.get(name) if isinstance(name, str) else name
    if segmentor is None:
        raise UserError(f'segmentor type {name!r} is not registered; is its package imported?')
    if (
        not issubclass(segmentor, EncoderDecoder)
        or segmentor.encode_decode is not EncoderDecoder.encode_decode
    ):
        raise UserError(
            f'{name} can not be wrapped: the segmentor must be an EncoderDecoder with one '
            'decode head (cascades and multi-modal segmentors have no single logit map)'
        )
    head_cfg = cfg.get('decode_head')
    head = MODELS.get(head_cfg['type']) if isinstance(head_cfg, dict) else None
    if head is None or not issubclass(head, BaseDecodeHead):
        head_name = head_cfg.get('type') if isinstance(head_cfg, dict) else head_cfg
        raise UserError(
            f'decode head {head_name} can not be wrapped: it is no BaseDecodeHead (heads that '
            'classify masks, such as MaskFormer or Mask2Former, give no logits per pixel)'
        )


def adapt_state_dict(model: torch.nn.Module, state_dict: dict, prefix: str) -> None:
    """Makes a checkpoint fit the wrapper, in place, or refuses it.

    A plain MMSeg checkpoint is given to every network. A wrapper's checkpoint must hold the
    same networks with the same number of classes.

    Raises:
        UserError: Another method's checkpoint or another number of classes.
    """
    keys = [key for key in state_dict if key.startswith(prefix)]
    found = {key[len(prefix) :].split('.')[0] for key in keys} & set(NETWORKS)
    banks = {key[len(prefix) :].split('.')[0] for key in keys if '_bank.' in key}
    own_banks = {name for name, _ in model.named_children() if name.endswith('_bank')}
    wanted = set(model.network_names)
    if not found:
        networks = [key for key in keys if not key[len(prefix) :].startswith('data_preprocessor')]
        for key in networks:
            value = state_dict.pop(key)
            for name in model.network_names:
                state_dict[f'{prefix}{name}.{key[len(prefix) :]}'] = value
        if networks and len(model.learners) > 1:
            print_log(
                'A plain checkpoint initialises all networks alike: cross supervision starts from '
                'equal networks, which only dropout and mini-batch noise part.',
                'current',
                level=30,
            )
    elif found != wanted or banks != own_banks:
        raise UserError(
            f'the checkpoint holds {", ".join(sorted(found | banks))}, '
            f'{type(model).__name__} has {", ".join(sorted(wanted | own_banks))}: it is of another '
            'method; '
            'start from one of its networks with tools/export_segmentor.py and load_from'
        )
    own = {prefix + key: value for key, value in model.state_dict().items()}
    for key, value in state_dict.items():
        if key.endswith('.conv_seg.weight') and key in own and value.shape != own[key].shape:
            raise UserError(
                f'the checkpoint has {value.shape[0]} classes in {key}, the model '
                f'{own[key].shape[0]}: set num_classes to the checkpoint or drop its conv_seg keys'
            )


def check_cutmix(boxes: dict | None) -> dict | None:
    """Options of random boxes, or ``None``.

    Raises:
        UserError: Boxes that can not be drawn; names the key.
    """
    low, high = (boxes or {}).get('area', (0.5, 0.5))
    if not 0 < low <= high < 1:
        raise UserError(
            f'cutmix.area={(low, high)} must be (low, high) with 0 < low <= high < 1, shares of '
            'the image'
        )
    if (boxes or {}).get('num_boxes', 1) < 1:
        raise UserError(f'cutmix.num_boxes={boxes["num_boxes"]} must be at least 1')
    return boxes
