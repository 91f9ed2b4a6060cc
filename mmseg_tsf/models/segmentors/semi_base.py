"""The template that every semi-supervised method fills in."""

from __future__ import annotations

import copy

import torch
from mmengine.model import BaseModel
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.utils import add_prefix
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...utils.errors import UserError
from ..utils.labels import as_class_logits
from ..utils.pixel_losses import weighted_cross_entropy
from .checks import adapt_state_dict, check_segmentor
from .structures import NetworkOutput, SemiBatch


class SemiSegmentor(BaseModel):
    """Base of all methods: named networks of one architecture and one training step.

    ``learners`` are trained by gradient; ``teacher``, where a method has one, is their moving
    average (see :class:`~mmseg_tsf.engine.MeanTeacherHook`). A step is

    1. :meth:`prepare`: pseudo-labels and mixing, without gradient;
    2. one forward pass per learner on labelled and unlabelled images together;
    3. :meth:`supervised_loss` by MMSeg's own heads, and :meth:`unsupervised_loss`.

    A method overrides 1 and the second half of 3.

    Args:
        segmentor: Config of any MMSeg ``EncoderDecoder``.
        data_preprocessor: Config of the preprocessor; the segmentor's own by default.
        teacher_mode: ``'train'`` (the teacher labels by batch statistics, AEL's way), ``'eval'``
            (by averaged ones), or ``'auto'``: train where the network has batch norm. Averaged
            statistics do not fit averaged weights while the student moves fast.
        test_cfg: ``dict(predict_on=...)`` names the network that predicts; the teacher by
            default, the student where there is none.
        manual_weight: Weight of the cross entropy on pixels that people have labelled in unlabelled
            images; 0 for none (they still replace the teacher's labels).
        init_cfg: See mmengine.
        error_head: Refused here: only methods with a teacher have errors to decode.
        refiner: Likewise.
        refinement: Likewise.
        train_cfg: Unused, accepted because MMSeg's ``init_model`` sets it.
        pretrained: Unused, likewise.

    Raises:
        UserError: The segmentor can not be wrapped.
        UserError: A wrong network name or option.
    """

    learners: tuple[str, ...] = ('student',)
    has_teacher = False

    def __init__(
        self,
        segmentor: dict,
        data_preprocessor: dict | None = None,
        teacher_mode: str = 'auto',
        test_cfg: dict | None = None,
        manual_weight: float = 0.0,
        init_cfg: dict | None = None,
        error_head: None = None,
        refiner: None = None,
        refinement: None = None,
        train_cfg: None = None,
        pretrained: None = None,
    ) -> None:
        if any(option is not None for option in (error_head, refiner, refinement)):
            raise UserError(
                f'{type(self).__name__} has no teacher whose labels error_head, refiner or '
                'refinement could correct: leave them out, or take MeanTeacher, '
                'AdaptiveEqualizationLearning or TeacherStudentFriend'
            )
        if manual_weight and type(self).prepare is SemiSegmentor.prepare:
            raise UserError(
                f'{type(self).__name__} does not look at unlabelled images, so manual_weight has '
                'no effect: set SemiDataset.supervise_manual=True instead'
            )
        segmentor = copy.deepcopy(segmentor)
        own = segmentor.pop('data_preprocessor', None)
        data_preprocessor = (
            data_preprocessor or own or dict(type='SegDataPreProcessor', size_divisor=1)
        )
        if data_preprocessor.get('type') != 'SemiDataPreprocessor':
            data_preprocessor = dict(
                type='SemiDataPreprocessor', data_preprocessor=data_preprocessor
            )
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        check_segmentor(segmentor)
        for name in self.network_names:
            setattr(self, name, MODELS.build(copy.deepcopy(segmentor)))
        self.teacher_mode = self._resolve_teacher_mode(teacher_mode)
        self.teacher_was_loaded = False
        self.is_checked = False  # SemiHook looks at the run before it starts
        self.manual_weight = manual_weight
        if self.has_teacher:
            self.teacher.requires_grad_(False)
        self.predict_on = (test_cfg or {}).get('predict_on', self.network_names[0])
        # share of the training done, in [0, 1]; SemiHook writes it, ramps read it
        self.register_buffer('progress', torch.ones(()), persistent=False)
        self._register_load_state_dict_pre_hook(self._adapt_state_dict)

    @property
    def network_names(self) -> tuple[str, ...]:
        """All networks, the one that predicts by default first."""
        return (('teacher',) if self.has_teacher else ()) + self.learners

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
        """Channels of the logits (MMSeg's test-time augmentation asks for it)."""
        return self.network.out_channels

    @property
    def decode_head(self) -> nn.Module:
        """Decode head of the network that predicts (MMSeg's inference API asks for it)."""
        return self.network.decode_head

    @property
    def required_branches(self) -> tuple[str, ...]:
        """Branches that a training batch must have; checked before training starts."""
        return ('labelled',)

    def train(self, mode: bool = True) -> SemiSegmentor:
        """Keeps the teacher in evaluation mode where ``teacher_mode`` is 'eval'."""
        super().train(mode)
        if self.has_teacher and self.teacher_mode == 'eval':
            self.teacher.eval()
        return self

    def forward(self, inputs, data_samples=None, mode: str = 'tensor'):
        """MMEngine's entry: ``mode`` is 'loss', 'predict' or 'tensor'."""
        if mode == 'loss':
            if not self.is_checked:
                raise UserError(
                    f'nothing has checked this training of a {type(self).__name__}: add '
                    "dict(type='SemiHook') to custom_hooks"
                )
            return self.loss(inputs, data_samples)
        return self.network(inputs, data_samples, mode)

    def loss(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> dict[str, Tensor]:
        """One training step; see the class.

        Args:
            inputs: Images ``(B, 3, H, W)`` by branch.
            data_samples: Data samples by branch.

        Returns:
            dict[str, Tensor]: Losses (names with ``loss``) and statistics.
        """
        batch = self.prepare(inputs, data_samples)
        # casts made under no_grad have no graph, and older releases of torch use them again
        torch.clear_autocast_cache()
        outputs = {name: self.forward_network(name, batch) for name in self.learners}
        losses = {}
        for name, output in outputs.items():
            losses.update(add_prefix(self.supervised_loss(name, output, batch), name))
        losses.update(self.unsupervised_loss(outputs, batch))
        if self.manual_weight:
            losses.update(self.manual_loss(outputs, batch))
        return losses

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        """Pseudo-labels and mixing; the base has neither."""
        return SemiBatch(inputs['labelled'], data_samples['labelled'])

    def forward_network(self, name: str, batch: SemiBatch) -> NetworkOutput:
        """One forward pass on the labelled and the unlabelled images of a step."""
        images = batch.labelled
        if batch.unlabelled is not None:
            images = torch.cat((images, batch.unlabelled))
        features, logits = self.run(name, images)
        unlabelled = None
        if batch.unlabelled is not None:
            unlabelled = self.upsample(logits[len(batch.labelled) :], images.shape[2:])
        return NetworkOutput(features, logits, unlabelled)

    def run(self, name: str, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features and decode-head logits of one network."""
        network = getattr(self, name)
        features = network.extract_feat(images)
        logits = network.decode_head.forward(features)
        if not isinstance(logits, Tensor):
            raise UserError(
                f'{type(network.decode_head).__name__} returns a {type(logits).__name__} in '
                'training; only decode heads that return one logit map can be wrapped'
            )
        return features, logits

    @torch.no_grad()
    def predict_logits(self, name: str, images: Tensor) -> Tensor:
        """Logits ``(N, K, H, W)`` of one network at image size, without gradient."""
        return self.upsample(self.run(name, images)[1], images.shape[2:])

    def upsample(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        """Float32 logits at image size; a single sigmoid channel becomes two classes."""
        align_corners = getattr(self, self.learners[0]).align_corners
        logits = resize(logits.float(), size, mode='bilinear', align_corners=align_corners)
        return as_class_logits(logits)

    def supervised_loss(
        self, name: str, output: NetworkOutput, batch: SemiBatch
    ) -> dict[str, Tensor]:
        """MMSeg's losses of one network on the labelled images, auxiliary heads included."""
        network, num = getattr(self, name), len(batch.labelled)
        losses = network.decode_head.loss_by_feat(output.logits[:num], batch.samples)
        losses = add_prefix(losses, 'decode')
        if network.with_auxiliary_head:
            heads = network.auxiliary_head
            heads = heads if isinstance(heads, nn.ModuleList) else [heads]
            features = [feature[:num] for feature in output.features]
            for i, head in enumerate(heads):
                aux = head.loss(features, batch.samples, network.train_cfg)
                losses.update(add_prefix(aux, f'aux_{i}' if len(heads) > 1 else 'aux'))
        return losses

    def unsupervised_loss(
        self, outputs: dict[str, NetworkOutput], batch: SemiBatch
    ) -> dict[str, Tensor]:
        """Losses on unlabelled images; the base has none."""
        return {}

    def manual_loss(self, outputs: dict[str, NetworkOutput], batch: SemiBatch) -> dict[str, Tensor]:
        """Cross entropy of each learner on manual pixels, a mean over these; 0 without any."""
        return {
            f'{name}.loss_manual': self.manual_weight
            * weighted_cross_entropy(output.unlabelled, batch.manual)
            for name, output in outputs.items()
        }

    def ramp(self, shares: tuple[float, float]) -> Tensor:
        """Weight ``()`` that is 0 up to one share of training, 1 from another, linear between.

        Args:
            shares: Begin and end in [0, 1]; an end of 0 means 1 from the start.
        """
        begin, end = shares
        if end <= begin:
            return (self.progress >= begin).float()
        return ((self.progress - begin) / (end - begin)).clamp(0, 1)

    def _resolve_teacher_mode(self, mode: str) -> str:
        if mode not in ('auto', 'eval', 'train'):
            raise UserError(f"teacher_mode is 'auto', 'eval' or 'train', not {mode!r}")
        if mode != 'auto':
            return mode
        return 'train' if any(isinstance(m, _BatchNorm) for m in self.modules()) else 'eval'

    def _adapt_state_dict(self, state_dict: dict, prefix: str, *_) -> None:
        had_teacher = any(key.startswith(prefix + 'teacher.') for key in state_dict)
        adapt_state_dict(self, state_dict, prefix)
        self.teacher_was_loaded = self.has_teacher and had_teacher
