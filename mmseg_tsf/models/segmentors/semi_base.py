"""The template that every semi-supervised method fills in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from mmseg.registry import MODELS
from mmseg.utils import add_prefix
from torch import Tensor, nn

from ...utils.errors import UserError
from ..data_preprocessor import semi_preprocessor
from ..utils.labels import label_weight
from ..utils.pixel_losses import weighted_cross_entropy
from ..utils.views import NetworkView
from .batch import Lesson, SemiBatch, StepListener, View
from .labelling import LABELLED, LabellingGroup, Outputs

PEOPLE = 'people'
"""Teacher of what people have labelled, in a :class:`Lesson`."""


class SemiSegmentor(LabellingGroup):
    """Base of all methods: named networks and one training step.

    A step is

    1. :meth:`prepare`: pseudo-labels and mixing, without gradient;
    2. :meth:`forward_network`: one pass per learner over the labelled images and all views;
    3. a second pass over :meth:`second_views`, where a method has views that are made of what
       the first pass shows;
    4. :meth:`supervised_loss` by MMSeg's own heads, and :meth:`unsupervised_loss`.

    A method declares :attr:`learners`, :attr:`averages` and :attr:`labellers`, and overrides 1
    and the second half of 4. ``docs/extending.md`` adds one from scratch.

    Attributes:
        listeners: Receive every step's batch and every :class:`Lesson`; tools that show what is
            taught listen here.

    Args:
        segmentor: See :class:`NetworkGroup`.
        networks: See :class:`NetworkGroup`.
        data_preprocessor: Config of the preprocessor; the segmentor's own by default.
        average_mode: See :class:`NetworkGroup`.
        test_cfg: ``dict(predict_on=...)`` names the network that predicts; the first average by
            default, the first learner where there is none.
        manual_weight: Weight of the cross entropy on pixels that people have labelled in unlabelled
            images; 0 for none (they still replace the pseudo-labels).
        error_head: Config of an ``ErrorMaskDecoder`` for every network that labels.
        refiner: Config of a ``PseudoLabelAutoRefinement`` for every network that labels.
        refinement: Further options of :class:`LabelRefinement`: ``taps``, ``min_confidence``,
            ``unresolved``. Given alone, labels below ``min_confidence`` are flagged.
        init_cfg: See mmengine.
        train_cfg: Not used; MMSeg's ``init_model`` sets it.
        pretrained: Not used; MMSeg's ``init_model`` sets it.

    Raises:
        UserError: A segmentor cannot be wrapped, or a network name or an option is wrong.
    """

    def __init__(
        self,
        segmentor: dict,
        networks: dict[str, dict] | None = None,
        data_preprocessor: dict | None = None,
        average_mode: str = 'auto',
        test_cfg: dict | None = None,
        manual_weight: float = 0.0,
        error_head: dict | None = None,
        refiner: dict | None = None,
        refinement: dict | None = None,
        init_cfg: dict | None = None,
        train_cfg: None = None,
        pretrained: None = None,
    ) -> None:
        super().__init__(
            segmentor,
            networks,
            average_mode,
            (test_cfg or {}).get('predict_on'),
            semi_preprocessor(data_preprocessor or segmentor.get('data_preprocessor')),
            init_cfg,
        )
        if manual_weight and type(self).prepare is SemiSegmentor.prepare:
            raise UserError(
                f'{type(self).__name__} does not use unlabelled images, so manual_weight has no '
                'effect: set SemiDataset.supervise_manual=True instead'
            )
        self.manual_weight = manual_weight
        self.is_checked = False  # SemiHook checks the run before it starts
        self.listeners: list[StepListener] = []
        self.build_refinements(error_head, refiner, refinement)
        self.iteration = 0  # of the schedule, from 0; SemiHook writes it
        # share of the training that is done, in [0, 1]; SemiHook writes it, ramps read it
        self.register_buffer('progress', torch.ones(()), persistent=False)

    @property
    def uses_manual_labels(self) -> bool:
        """Whether labels that people give in unlabelled images teach a network."""
        return bool(self.labellers or self.manual_weight)

    @property
    def leaves_parameters_out(self) -> bool:
        """Whether parameters that learn have no part in the losses of some iterations."""
        return False

    @property
    def required_branches(self) -> tuple[str, ...]:
        """Names of the branches that a training batch must have; checked before training."""
        return (LABELLED,)

    def forward(self, inputs, data_samples=None, mode: str = 'tensor'):
        """MMEngine's entry: ``mode`` is 'loss', 'predict' or 'tensor'."""
        if mode == 'loss':
            if not self.is_checked:
                raise UserError(
                    f'this training of a {type(self).__name__} was not checked: add '
                    "dict(type='SemiHook') to the hooks"
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
        for listener in self.listeners:
            listener.begin(batch, data_samples)
        # casts made under no_grad have no graph, and older releases of torch use them again
        torch.clear_autocast_cache()
        outputs = {name: self.forward_network(name, batch) for name in self.learners}
        later = self.second_views(outputs, batch)
        if later:
            batch.views.update(later)
            for name in self.learners:
                outputs[name].update(self.forward_views(name, later))
        losses = {}
        for name, output in outputs.items():
            losses.update(add_prefix(self.supervised_loss(name, output, batch), name))
        losses.update(self.refinement_loss(outputs, batch))
        losses.update(self.unsupervised_loss(outputs, batch))
        losses.update(batch.stats)
        if self.manual_weight:
            losses.update(self.manual_loss(outputs, batch))
        return losses

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        """Pseudo-labels and mixing; the base has neither."""
        return SemiBatch(inputs[LABELLED], data_samples[LABELLED])

    def second_views(self, outputs: Outputs, batch: SemiBatch) -> dict[str, View]:
        """Views that need what the learners show of the first ones; the base has none.

        Args:
            outputs: What the learners show in the first pass.
            batch: The step's batch; ``later`` has the images and masks of these views.

        Returns:
            dict[str, View]: Views for a second pass, by name.
        """
        return {}

    def supervised_loss(
        self, name: str, output: dict[str, NetworkView], batch: SemiBatch
    ) -> dict[str, Tensor]:
        """MMSeg's losses of one network on the labelled images, auxiliary heads included."""
        network, shown = getattr(self, name), output[LABELLED]
        losses = network.decode_head.loss_by_feat(shown.grid_logits, batch.samples)
        losses = add_prefix(losses, 'decode')
        if network.with_auxiliary_head:
            heads = network.auxiliary_head
            heads = heads if isinstance(heads, nn.ModuleList) else [heads]
            for i, head in enumerate(heads):
                aux = head.loss(shown.backbone, batch.samples, network.train_cfg)
                losses.update(add_prefix(aux, f'aux_{i}' if len(heads) > 1 else 'aux'))
        return losses

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        """Losses on unlabelled images; the base has none."""
        return {}

    def pseudo_label_loss(
        self,
        learner: str,
        teacher: str,
        branches: Sequence[str],
        logits: Tensor,
        targets: Tensor,
        weight: Tensor | None = None,
        criterion: Callable[..., Tensor] = weighted_cross_entropy,
    ) -> Tensor:
        """The one way in which a network is taught on unlabelled images.

        Args:
            learner: Name of the network that learns.
            teacher: Name of the network that gave the targets, or ``'people'``.
            branches: Names of the branches whose images follow one another in the tensors.
            logits: ``(N, K, H, W)`` of the learner.
            targets: ``(N, H, W)`` int64 labels, or ``(N, K, H, W)`` probabilities.
            weight: ``(N, H, W)`` weight of each pixel; ``None`` for 1.
            criterion: Loss of (logits, targets, weight).

        Returns:
            Tensor: Scalar.
        """
        for listener in self.listeners:
            listener.lesson(Lesson(learner, teacher, tuple(branches), targets, weight))
        return criterion(logits, targets, weight)

    def cross_supervision(
        self,
        outputs: Outputs,
        batch: SemiBatch,
        branches: Sequence[str],
        gamma: float = 0.0,
        threshold: float = 0.0,
    ) -> Tensor:
        """Cross pseudo supervision of two learners by each other (paper equation 3).

        Args:
            outputs: What the two learners show.
            batch: The step's batch.
            branches: Names of the branches that are taught.
            gamma: See :func:`label_weight`; with ``threshold`` 0 and this 0 all pixels count
                alike.
            threshold: See :func:`label_weight`.

        Returns:
            Tensor: Scalar; the labels carry no gradient.
        """
        loss = 0.0
        for learner, teacher in (self.learners, self.learners[::-1]):
            found = [self.learner_labels(teacher, outputs, batch, key) for key in branches]
            weight = [label_weight(pseudo, gamma, threshold) for pseudo in found]
            loss = loss + self.pseudo_label_loss(
                learner,
                teacher,
                branches,
                torch.cat([outputs[learner][key].logits for key in branches]),
                torch.cat([pseudo.labels for pseudo in found]),
                torch.cat(weight) if gamma or threshold else None,
            )
        return loss

    def manual_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        """Cross entropy of each learner on manual pixels, a mean over these; 0 without any."""
        losses = {}
        for name, output in outputs.items():
            for key, view in batch.views.items():
                loss = self.pseudo_label_loss(name, PEOPLE, [key], output[key].logits, view.manual)
                suffix = '' if len(batch.views) == 1 else f'_{key}'
                losses[f'{name}.loss_manual{suffix}'] = self.manual_weight * loss
        return losses

    def ramp(self, shares: tuple[float, float], shape: str = 'linear') -> Tensor:
        """Weight ``()`` that rises between two shares of training, and is 1 afterwards.

        Args:
            shares: Begin and end in [0, 1]; an end of 0 means 1 from the start.
            shape: Course between them, with t from 0 to 1: ``'linear'``, ``'cosine'``
                (``(1 - cos(pi t)) / 2``), or ``'sigmoid'`` (``exp(-5 (1 - t)^2)``, which is not
                0 before the begin; Laine & Aila 2017).
        """
        begin, end = shares
        if end <= begin:
            return (self.progress >= begin).float()
        linear = ((self.progress - begin) / (end - begin)).clamp(0, 1)
        if shape == 'sigmoid':
            return (-5 * (1 - linear).square()).exp()
        return (1 - (torch.pi * linear).cos()) / 2 if shape == 'cosine' else linear


@MODELS.register_module()
class SupervisedOnly(SemiSegmentor):
    """One network trained on the labelled images alone (the paper's SupOnly row).

    It is the template without any change; it does not use unlabelled images of the batch.
    """
