"""Learning from unreliable pseudo-labels (U2PL, Wang et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ...utils.options import check_ramp, check_share, check_weight
from ..mixing import BatchCutMix, check_cutmix
from ..utils.contrast import ClassQueues, contrastive_loss, negative_classes
from ..utils.feature_tap import INPUT, FeatureTap
from ..utils.grid import resize_nearest
from ..utils.labels import IGNORE_INDEX, ground_truth
from ..utils.pixel_losses import masked_mean
from ..utils.views import NetworkView
from .batch import SemiBatch, View
from .labelling import Outputs
from .mean_teacher import as_refined
from .semi_base import SemiSegmentor

KEYS = 'representation'
"""Name under which a step keeps the representations by the teacher."""
CUTMIX = dict(num_boxes=1, area=(0.5, 0.5), probability=0.5)


@MODELS.register_module()
class UnreliablePseudoLabels(SemiSegmentor):
    """A mean teacher whose sure pixels teach, and whose unsure ones are negative examples.

    Pseudo-labels count where the teacher's entropy is below a percentile that rises to 100. A
    representation head beside the decode head is taught to tell a pixel of a class from pixels
    that are surely not of it (InfoNCE): on labelled images those whose class is among the
    teacher's first ``low_rank`` but not the true one, on unlabelled images unsure ones where the
    class has a rank from ``low_rank`` to below ``high_rank``. Negatives wait in one queue for each
    class, which checkpoints keep and processes fill together.

    The teacher sees the labelled and the unmixed unlabelled images in one pass, and what it shows
    is mixed as the images are; the public code lets it see the mixed images in a second pass.

    Args:
        weight: Weight of the cross entropy on unlabelled images.
        contrast_weight: Weight of the contrastive loss (0.1 in the paper, 1 in the public code).
        drop_share: Share of the pixels, those of highest entropy, that do not teach at the start;
            it falls linearly to 0. The contrastive loss takes as many of the lowest entropy for
            sure and of the highest for unsure.
        cutmix: Options of :class:`BatchCutMix`; ``None`` for none.
        ramp: Shares of training between which both weights rise linearly from 0; none in the
            public code.
        channels: Width of the representations.
        features: Module of the segmentor whose input the representation head reads; the public
            code takes that of the decode head's last convolutions.
        queue_size: Number of negatives that are kept for each class.
        keys: Number of pixels, drawn from the unsure ones of a step, that are queued at most.
        queries: Number of pixels of each class that are taught in a step.
        negatives: Number of negatives for each of them.
        temperature: Divisor of the cosine similarities.
        min_prob: Least probability, by the teacher, of a pixel that is taught.
        low_rank: See above; 1 where there are two classes.
        high_rank: See above.
        as_code: Whether negatives of a class must carry its label, as in the public code, which
            leaves hardly any.
        **kwargs: See :class:`SemiSegmentor`.
    """

    averages = {'teacher': 'student'}
    labellers = ('teacher',)

    def __init__(
        self,
        weight: float = 1.0,
        contrast_weight: float = 0.1,
        drop_share: float = 0.2,
        cutmix: dict | None = CUTMIX,
        ramp: tuple[float, float] = (0.0, 0.0),
        channels: int = 256,
        features: str = 'decode_head.conv_seg',
        queue_size: int = 30000,
        keys: int = 4096,
        queries: int = 256,
        negatives: int = 50,
        temperature: float = 0.5,
        min_prob: float = 0.3,
        low_rank: int = 3,
        high_rank: int = 20,
        as_code: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.weight, self.cutmix = check_weight('weight', weight), check_cutmix(cutmix)
        self.contrast_weight = check_weight('contrast_weight', contrast_weight)
        self.drop_share = check_share('drop_share', drop_share)
        self.unsupervised_ramp = check_ramp('ramp', ramp)
        self.sampling = dict(queries=queries, negatives=negatives, temperature=temperature)
        self.min_prob, self.as_code = check_share('min_prob', min_prob), as_code
        self.ranks, self.taps = (low_rank, high_rank), (features + INPUT,)
        self.queues = ClassQueues(self.num_classes, queue_size, channels, keys)
        FeatureTap(self.student, self.taps)
        head = RepresentationHead(in_channels(self.student.get_submodule(features)), channels)
        self.attach('representation', head, network='student')

    @property
    def required_branches(self) -> tuple[str, ...]:
        return ('labelled', 'unlabelled')

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        batch = SemiBatch(inputs['labelled'], data_samples['labelled'])
        images = inputs['unlabelled']
        view = View.of(inputs.get('strong', images), data_samples['unlabelled'])
        shown = self.labeller_view('teacher', images, batch, with_labelled=True)
        pseudo, batch.stats = self.label('teacher', shown, view.manual, view.valid)
        view.pseudo['teacher'] = pseudo
        labelled = batch.labellers['teacher']
        labelled.tapped[KEYS], keys = self.represent(labelled, shown)
        view.targets = {'teacher': as_refined(shown.probs, pseudo.labels), KEYS: keys}
        if self.cutmix is not None:
            view = view.map(BatchCutMix(view.images, **self.cutmix))
        batch.views['unlabelled'] = view
        return batch

    @torch.no_grad()
    def represent(self, *shown: NetworkView) -> Sequence[Tensor]:
        """Representations ``(N, D, h, w)`` by the teacher of each of the things that it shows.

        All pass through the head's batch norm together, as those of the student do.
        """
        maps = torch.cat([own.tapped[self.taps[0]] for own in shown])
        return self.part('representation', 'teacher')(maps).split(
            [len(own.grid_logits) for own in shown]
        )

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        view = batch.views['unlabelled']
        labels = view.pseudo['teacher'].labels
        # what people have labelled is sure
        entropy = entropy_of(view.targets['teacher']) * (view.manual == IGNORE_INDEX)
        has_label = view.valid & (labels != IGNORE_INDEX)
        share = self.drop_share * (1 - self.progress)
        kept = has_label & (entropy <= percentile(entropy, has_label, 1 - share))
        loss = self.pseudo_label_loss(
            'student',
            'teacher',
            ['unlabelled'],
            outputs['student']['unlabelled'].logits,
            labels.masked_fill(~kept, IGNORE_INDEX),
            None,
            lambda *args: scaled_cross_entropy(view.valid, *args),
        )
        ramp = self.ramp(self.unsupervised_ramp)
        contrast, filled = self.contrast(outputs, batch, share)
        return {
            'loss_unlabelled': self.weight * ramp * loss,
            'loss_contrast': self.contrast_weight * ramp * contrast,
            'teacher.kept': masked_mean(kept, view.valid),
            'teacher.queued': filled,
        }

    def contrast(self, outputs: Outputs, batch: SemiBatch, share: Tensor) -> tuple[Tensor, Tensor]:
        """Contrastive loss on the grid of the features, and the mean filling of the queues.

        Args:
            outputs: What the student shows.
            batch: The step's batch.
            share: ``()`` share of the pixels that are sure, and of those that are unsure.
        """
        view, teacher = batch.views['unlabelled'], batch.labellers['teacher']
        own = outputs['student']
        student = torch.cat([own[key].tapped[self.taps[0]] for key in ('labelled', 'unlabelled')])
        student = self.part('representation', 'student')(student)
        size = student.shape[2:]
        truth = resize_nearest(ground_truth(batch.samples), size)
        pseudo = resize_nearest(view.pseudo['teacher'].labels, size)
        probs = F.interpolate(
            torch.cat((teacher.probs, view.targets['teacher'])), size, mode='bilinear'
        )
        keys = torch.cat((teacher.tapped[KEYS], view.targets[KEYS]))
        num, valid = len(truth), pseudo != IGNORE_INDEX
        by_network = resize_nearest(view.manual, size) == IGNORE_INDEX
        entropy = entropy_of(probs[num:]) * by_network
        sure = valid & (entropy <= percentile(entropy, valid, share))
        unsure = valid & by_network & (entropy >= percentile(entropy, valid, 1 - share))
        labelled = truth != IGNORE_INDEX
        labels = torch.cat((truth, pseudo))
        negative = negative_classes(
            probs, labels, torch.cat((labelled, unsure)), num, *self.ranks, self.as_code
        )
        self.queues.append(keys, negative)
        loss = contrastive_loss(
            student,
            keys,
            probs,
            labels.masked_fill(~torch.cat((labelled, sure)), IGNORE_INDEX),
            self.queues,
            min_prob=self.min_prob,
            **self.sampling,
        )
        return loss, self.queues.length.float().mean() / self.queues.size


class RepresentationHead(nn.Sequential):
    """Two 3x3 convolutions with batch norm and dropout, and a 1x1 convolution.

    Args:
        in_channels: Width of the input.
        channels: Width of all layers.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        layers = []
        for width in (in_channels, channels):
            convolution = nn.Conv2d(width, channels, 3, padding=1)
            layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU(), nn.Dropout2d(0.1)]
        super().__init__(*layers, nn.Conv2d(channels, channels, 1))


def in_channels(module: nn.Module) -> int:
    """Width of a module's input, from the first convolution in it."""
    return next(own.in_channels for own in module.modules() if hasattr(own, 'in_channels'))


def entropy_of(probs: Tensor) -> Tensor:
    """Entropy ``(N, H, W)`` in nats of probabilities ``(N, K, H, W)``."""
    return -(probs * probs.clamp(min=1e-10).log()).sum(dim=1)


def percentile(values: Tensor, mask: Tensor, share: Tensor) -> Tensor:
    """Scalar below which a share ``()`` of the masked values lies, linear in between.

    Unlike :func:`torch.quantile`, it takes more than 16 million values. It is infinite where none
    is masked.
    """
    ordered = values.float().masked_fill(~mask, torch.inf).flatten().sort().values
    last = (mask.sum() - 1).clamp(min=0)
    place = share * last
    low, high = ordered[torch.stack((place.floor(), place.ceil())).long().minimum(last)]
    return torch.where(high == low, low, low.lerp(high, place.frac()))


def scaled_cross_entropy(valid: Tensor, logits: Tensor, labels: Tensor, weight: None) -> Tensor:
    """Mean cross entropy over the pixels with a label, times the valid pixels per such pixel."""
    loss = F.cross_entropy(logits, labels, ignore_index=IGNORE_INDEX, reduction='sum')
    kept = (labels != IGNORE_INDEX).sum().clamp(min=1)
    return loss / kept * (valid.sum() / kept)
