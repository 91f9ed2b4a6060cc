"""Which segmentors can be wrapped, and which checkpoints can be loaded."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import torch
from mmengine.logging import print_log
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS

from ...utils.errors import UserError, some_of
from .fitting import below, check_fits


def check_segmentor(cfg: dict) -> None:
    """Checks that the template can wrap a segmentor config.

    Raises:
        UserError: The segmentor is no plain ``EncoderDecoder``, or its head has no logits per
            pixel.
    """
    name = cfg.get('type')
    segmentor = _class_of(name)
    if segmentor is None:
        raise UserError(f'segmentor type {name!r} is not registered; is its package imported?')
    if (
        not issubclass(segmentor, EncoderDecoder)
        or segmentor.encode_decode is not EncoderDecoder.encode_decode
    ):
        raise UserError(
            f'{name} cannot be wrapped: the segmentor must be an EncoderDecoder with one '
            'decode head (cascades and multi-modal segmentors have no single logit map)'
        )
    head_cfg = cfg.get('decode_head')
    head = _class_of(head_cfg.get('type')) if isinstance(head_cfg, dict) else None
    if head is None or not issubclass(head, BaseDecodeHead):
        head_name = head_cfg.get('type') if isinstance(head_cfg, dict) else head_cfg
        raise UserError(
            f'decode head {head_name} cannot be wrapped: it is no BaseDecodeHead (heads that '
            'classify masks, such as MaskFormer or Mask2Former, give no logits per pixel)'
        )


def _class_of(kind: str | type) -> type | None:
    return MODELS.get(kind) if isinstance(kind, str) else kind


def network_prefixes(keys: Iterable[str]) -> list[str]:
    """Names of the networks in a state dict, in order: those with a backbone below them."""
    found = (key.split('.', 2) for key in keys)
    return list(dict.fromkeys(parts[0] for parts in found if parts[1:2] == ['backbone']))


def adapt_state_dict(model: torch.nn.Module, state_dict: dict, prefix: str) -> None:
    """Makes a checkpoint fit the wrapper, in place.

    A plain MMSeg checkpoint is given to every network. A wrapper's checkpoint must hold the
    same networks and the same state of the method with the same number of classes; a refinement
    may be new.

    Raises:
        UserError: The checkpoint is of another method, has no tensor of a network, or has
            another number of classes.
    """
    keys = [key[len(prefix) :] for key in state_dict if key.startswith(prefix)]
    found = set(network_prefixes(keys))
    if found:
        holds, needs = _method_state(keys), _method_state(model.state_dict())
        if holds != needs:
            raise UserError(
                f'the checkpoint holds {", ".join(sorted(holds))}, {type(model).__name__} has '
                f'{", ".join(sorted(needs))}: it is a checkpoint of another method; start from one '
                'of its networks with tools/export_segmentor.py and load_from'
            )
        for name in model.network_names:
            check_fits(name, getattr(model, name), below(state_dict, f'{prefix}{name}.'))
    else:
        _give_to_all(model, state_dict, prefix, keys)
    own = {prefix + key: value for key, value in model.state_dict().items()}
    for key, value in state_dict.items():
        if key.endswith('.conv_seg.weight') and key in own and value.shape != own[key].shape:
            raise UserError(
                f'the checkpoint has {value.shape[0]} classes in {key}, the model '
                f'{own[key].shape[0]}: set num_classes to the checkpoint or drop its conv_seg keys'
            )


def _method_state(keys: Iterable[str]) -> set[str]:
    """Top-level names of networks, banks and parts; those of preprocessor and refinement not."""
    names = {key.split('.')[0] for key in keys} - {'data_preprocessor'}
    return {name for name in names if not name.startswith('refinement')}


def _give_to_all(model: torch.nn.Module, state_dict: dict, prefix: str, keys: list[str]) -> None:
    """Gives a plain checkpoint's tensors to every network, and says which it does not have."""
    own = [key for key in keys if not key.startswith('data_preprocessor')]
    given, whole = {key: state_dict[prefix + key] for key in own}, True
    for name in model.network_names:
        missing = check_fits(name, getattr(model, name), given)
        if missing:
            whole = False
            print_log(
                f'The checkpoint lacks {len(missing)} tensors of the {name}, which keep the values '
                f'that they begin with: {some_of(missing)}',
                'current',
                logging.WARNING,
            )
    for key in own:
        value = state_dict.pop(prefix + key)
        for name in model.network_names:
            state_dict[f'{prefix}{name}.{key}'] = value
    if whole and len(model.learners) > 1:
        print_log(
            'A plain checkpoint initialises all networks alike: cross supervision starts from '
            'equal networks, which only dropout and mini-batch noise part.',
            'current',
            logging.WARNING,
        )
