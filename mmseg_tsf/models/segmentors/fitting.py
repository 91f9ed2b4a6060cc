"""Whether the tensors of a checkpoint are those of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.model import BaseTTAModel
from mmengine.runner.checkpoint import CheckpointLoader, load_state_dict
from torch import Tensor, nn

from ...utils.errors import UserError, some_of
from ...utils.runner import unwrap_model

COUNTER = 'num_batches_tracked'
NOT_FOR_PREDICTION = ('auxiliary_head.', 'parts.')


def check_fits(name: str, network: nn.Module, given: Mapping[str, Tensor]) -> list[str]:
    """Checks that a state dict has any tensor of a network.

    Args:
        name: Name of the network, for the message.
        network: The network.
        given: State dict, by the network's own names.

    Returns:
        list[str]: Names of the network's tensors that the state dict does not have in their shape.

    Raises:
        UserError: No name and shape is that of a tensor of the network.
    """
    own = {key: value for key, value in network.state_dict().items() if COUNTER not in key}
    fits = {key for key, value in own.items() if getattr(given.get(key), 'shape', 0) == value.shape}
    if not fits:
        raise UserError(
            f'the checkpoint fits nothing in the {name}: none of its {len(given)} tensors '
            f'({some_of(list(given))}) has the name and shape of one of the network '
            f'({some_of(list(own))}); give a checkpoint of the same network, or weights of a '
            "backbone by backbone.init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
    return [key for key in own if key not in fits]


def check_trained(model: nn.Module, checkpoint: Mapping, names: Sequence[str] = ()) -> None:
    """Checks that a checkpoint has all weights of the networks that are to predict.

    Args:
        model: Any segmentor, or one of ours, wrapped for several processes or for test-time
            augmentation or not.
        checkpoint: Content of the file.
        names: Names of the networks; the one that predicts by default.

    Raises:
        UserError: A weight is missing or has another shape, so it would be a random one.
    """
    model = unwrap_model(model)
    model = model.module if isinstance(model, BaseTTAModel) else model
    given = state_of(checkpoint)
    networks = {type(model).__name__: (model, given)}
    if hasattr(model, 'network_names'):
        parts = {name: below(given, f'{name}.') for name in names or [model.predict_on]}
        networks = {name: (getattr(model, name), part or given) for name, part in parts.items()}
    for name, (network, part) in networks.items():
        missing = check_fits(name, network, part)
        missing = [key for key in missing if not key.startswith(NOT_FOR_PREDICTION)]
        if missing:
            raise UserError(
                f'the checkpoint lacks {len(missing)} tensors of the {name} ({some_of(missing)}), '
                'which would be random: give the checkpoint and the config of one run'
            )


def load_trained(model: nn.Module, path: str) -> None:
    """Loads a checkpoint into a model that is to predict, on the CPU.

    Args:
        model: See :func:`check_trained`.
        path: Path of the checkpoint.

    Raises:
        UserError: See :func:`check_trained`.
    """
    checkpoint = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    check_trained(model, checkpoint)
    load_state_dict(model, state_of(checkpoint))


def state_of(checkpoint: Mapping) -> dict[str, Tensor]:
    """State dict of a checkpoint, without the prefix of distributed training."""
    state = checkpoint.get('state_dict', checkpoint)
    tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    return {key.removeprefix('module.'): value for key, value in tensors.items()}


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries of a state dict below a prefix, without it."""
    return {key[len(prefix) :]: v for key, v in state.items() if key.startswith(prefix)}
