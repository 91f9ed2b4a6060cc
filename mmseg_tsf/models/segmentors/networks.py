"""The named networks of a method: what learns, what averages, and what is attached to them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from mmengine.model import BaseModel, ModuleDict
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...utils.errors import UserError
from ..utils.feature_tap import FeatureTap
from ..utils.views import NetworkView
from .checks import adapt_state_dict, check_segmentor
from .label_checks import check_labels, check_padding


class NetworkGroup(BaseModel):
    """Owns named networks that are built from one ``segmentor`` config, or from one each.

    A method declares its networks as class attributes. Nothing outside a method's own file asks
    for a network by a fixed name: hooks, loops and tools go by these attributes, and checkpoints
    carry them (see :meth:`describe`).

    Attributes:
        learners: Names of the networks that are trained by gradient.
        averages: Name of each averaged network and of the learner that it follows, such as
            ``{'teacher': 'student'}``; empty for none. ``MeanTeacherHook`` moves them.
        independent: Averages that start with weights of their own, not with the learner's.
        taps: Module paths of feature maps that the method reads, see :class:`FeatureTap`; views
            have them in ``tapped``.
        part_optimizers: Options of the optimisers that parts have of their own, by part.

    Args:
        segmentor: Config of any MMSeg ``EncoderDecoder``.
        networks: Configs of learners that differ from ``segmentor``, by name. An average is built
            like the learner that it follows.
        average_mode: ``'train'`` (averaged networks predict by batch statistics, AEL's way),
            ``'eval'`` (by averaged statistics), or ``'auto'``: ``'train'`` where a network has
            batch norm, because averaged statistics do not fit averaged weights while the learner
            moves fast.
        predict_on: Name of the network that predicts; the first of :attr:`network_names` by
            default.
        data_preprocessor: See mmengine.
        init_cfg: See mmengine.

    Raises:
        UserError: A segmentor cannot be wrapped, a name is unknown, or an option is wrong.
    """

    learners: tuple[str, ...] = ('student',)
    averages: Mapping[str, str] = {}
    independent: tuple[str, ...] = ()
    taps: tuple[str, ...] = ()

    def __init__(
        self,
        segmentor: dict,
        networks: dict[str, dict] | None,
        average_mode: str,
        predict_on: str | None,
        data_preprocessor: dict,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        configs = self._network_configs(segmentor, networks or {})
        for name in self.network_names:
            setattr(self, name, MODELS.build(copy.deepcopy(configs[name])))
        for name in self.averages:
            getattr(self, name).requires_grad_(False)
        for name in self.learners:
            own = f'model.networks.{name}' if name in (networks or {}) else 'model.segmentor'
            check_labels(own, getattr(self, name))
        check_padding(self.data_preprocessor.data_preprocessor)
        for name in self.learners:
            if getattr(self, name).num_classes != self.num_classes:
                raise UserError(
                    f'model.networks: {name} has {getattr(self, name).num_classes} classes, '
                    f'{self.learners[0]} {self.num_classes}: set num_classes alike'
                )
        self.average_mode = self._resolve_average_mode(average_mode)
        self.loaded_averages: set[str] = set()
        self.part_optimizers: dict[str, dict] = {}
        self.predict_on = predict_on or self.network_names[0]
        self._register_load_state_dict_pre_hook(self._adapt_state_dict)

    @property
    def network_names(self) -> tuple[str, ...]:
        """Names of all networks: the averages, then the learners."""
        return (*self.averages, *self.learners)

    @property
    def predict_on(self) -> str:
        """Name of the network that predicts."""
        return self._predict_on

    @predict_on.setter
    def predict_on(self, name: str) -> None:
        if name not in self.network_names:
            raise UserError(
                f'test_cfg.predict_on={name!r}: {type(self).__name__} has the networks '
                f'{", ".join(self.network_names)}'
            )
        self._predict_on = name

    @property
    def network(self) -> nn.Module:
        """The network that predicts."""
        return getattr(self, self.predict_on)

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return getattr(self, self.learners[0]).num_classes

    @property
    def out_channels(self) -> int:
        """Number of channels of the logits (MMSeg's test-time augmentation asks for it)."""
        return self.network.out_channels

    @property
    def decode_head(self) -> nn.Module:
        """Decode head of the network that predicts (MMSeg's inference API asks for it)."""
        return self.network.decode_head

    def describe(self) -> dict:
        """Method and networks, as checkpoints and run records keep them."""
        return dict(
            method=type(self).__name__,
            networks=list(self.network_names),
            learners=list(self.learners),
            averages=dict(self.averages),
            predict_on=self.predict_on,
        )

    def averages_to_move(self, iteration: int) -> Sequence[str]:
        """Names of the averages that move after this iteration; all of them by default."""
        return tuple(self.averages)

    def attach(
        self,
        name: str,
        part: dict | nn.Module,
        network: str | None = None,
        optimizer: dict | None = None,
        schedule: dict | Sequence[dict] = (),
    ) -> nn.Module:
        """Adds a part that MMSeg's segmentor does not have, such as a projection head.

        Args:
            name: Name of the part.
            part: Module, or its config for MMSeg's ``MODELS`` registry.
            network: Learner that the part belongs to. Every average of that learner gets a copy,
                which is averaged and saved with it. ``None``: the part belongs to the method.
            optimizer: Config of an optimiser of its own for the part; ``None`` puts its
                parameters into the run's optimiser. See ``engine.optimizers``.
            schedule: Configs of that optimiser's parameter schedulers.

        Returns:
            nn.Module: The part; :meth:`part` finds it again.
        """
        part = MODELS.build(part) if isinstance(part, dict) else part
        if network is None:
            self.add_module(name, part)
        else:
            followers = [own for own, source in self.averages.items() if source == network]
            for owner in (network, *followers):
                own = part if owner == network else copy.deepcopy(part).requires_grad_(False)
                segmentor = getattr(self, owner)
                if not hasattr(segmentor, 'parts'):
                    segmentor.parts = ModuleDict()
                segmentor.parts[name] = own
        if optimizer is not None:
            schedules = [schedule] if isinstance(schedule, dict) else list(schedule)
            self.part_optimizers[name] = dict(
                network=network, optimizer=optimizer, schedule=schedules
            )
        return part

    def part(self, name: str, network: str | None = None) -> nn.Module:
        """A part that was attached, to a network or to the method."""
        return getattr(self, name) if network is None else getattr(self, network).parts[name]

    def train(self, mode: bool = True) -> NetworkGroup:
        """Keeps averaged networks in evaluation mode where ``average_mode`` is 'eval'."""
        super().train(mode)
        if self.average_mode == 'eval':
            for name in self.averages:
                getattr(self, name).eval()
        return self

    def run(self, name: str, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Backbone features and decode-head logits ``(N, K, h, w)`` of one network."""
        network = getattr(self, name)
        features = network.extract_feat(images)
        return features, self.decode(name, features)

    def decode(self, name: str, features: Sequence[Tensor]) -> Tensor:
        """Decode-head logits ``(N, K, h, w)`` of one network from its backbone features."""
        head = getattr(self, name).decode_head
        logits = head.forward(features)
        if not isinstance(logits, Tensor):
            raise UserError(
                f'{type(head).__name__} returns a {type(logits).__name__} in training; only '
                'decode heads that return one logit map can be wrapped'
            )
        return logits

    @torch.no_grad()
    def show(self, name: str, images: Tensor, taps: Sequence[str] = ()) -> NetworkView:
        """What one network shows of images, without gradient.

        Args:
            name: Name of the network.
            images: ``(N, 3, H, W)``, preprocessed.
            taps: Module paths of the feature maps to return, beside those of the method.
        """
        with FeatureTap(getattr(self, name), (*taps, *self.taps)) as tap:
            grid_logits = self.run(name, images)[1]
        return NetworkView(
            grid_logits,
            [tap[path] for path in taps],
            images.shape[2:],
            self.align_corners(name),
            tapped={path: tap[path] for path in self.taps},
        )

    def align_corners(self, name: str) -> bool:
        """Whether one network's logits are resized with aligned corners."""
        return getattr(self, name).align_corners

    def _network_configs(self, segmentor: dict, networks: dict[str, dict]) -> dict[str, dict]:
        unknown = sorted(set(networks) - set(self.learners))
        if unknown:
            raise UserError(
                f'model.networks has {", ".join(unknown)}: {type(self).__name__} has the learners '
                f'{", ".join(self.learners)}'
            )
        configs = {name: copy.deepcopy(networks.get(name, segmentor)) for name in self.learners}
        for config in configs.values():
            config.pop('data_preprocessor', None)
            check_segmentor(config)
        return configs | {name: configs[source] for name, source in self.averages.items()}

    def _resolve_average_mode(self, mode: str) -> str:
        if mode not in ('auto', 'eval', 'train'):
            raise UserError(f"average_mode is 'auto', 'eval' or 'train', not {mode!r}")
        if mode != 'auto':
            return mode
        return 'train' if any(isinstance(m, _BatchNorm) for m in self.modules()) else 'eval'

    def _adapt_state_dict(self, state_dict: dict, prefix: str, *_) -> None:
        self.loaded_averages = {
            name
            for name in self.averages
            if any(key.startswith(f'{prefix}{name}.') for key in state_dict)
        }
        adapt_state_dict(self, state_dict, prefix)
