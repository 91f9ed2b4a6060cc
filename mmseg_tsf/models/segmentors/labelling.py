"""Networks that look at views of images and label them, and the refinement of their labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.utils import add_prefix
from torch import Tensor

from ...utils.errors import UserError
from ..refinement.label_refinement import LabelRefinement
from ..utils.ema import ema_update
from ..utils.feature_tap import FeatureTap
from ..utils.labels import (
    PseudoLabels,
    ground_truth,
    pseudo_labels,
    valid_mask,
    with_manual,
)
from ..utils.views import NetworkView
from .batch import SemiBatch, View
from .networks import NetworkGroup

LABELLED = 'labelled'
Outputs = dict[str, dict[str, NetworkView]]
"""What each learner shows of each branch: ``outputs[network][branch]``."""


class LabellingGroup(NetworkGroup):
    """Named networks of which some label unlabelled images.

    What an oracle has labelled in an otherwise unlabelled image stands in its ``gt_sem_seg``
    (255 elsewhere) and always wins over a network.

    Attributes:
        labellers: Names of the networks whose labels teach on unlabelled images. The labels of
            each can be refined. A snapshot stands behind the learner that it follows, whose
            refinement learns and is copied with the weights.
        refinement: Refinement of the first labeller's labels; ``None`` where labels are not
            refined.
    """

    labellers: tuple[str, ...] = ()

    def build_refinements(
        self, error_head: dict | None, refiner: dict | None, options: dict | None
    ) -> None:
        """Builds one refinement for each labeller, where any option is given."""
        self.refinement: LabelRefinement | None = None
        self._refinement_keys: dict[str, str] = {}
        if error_head is None and refiner is None and options is None:
            return
        if not self.labellers:
            raise UserError(
                f'{type(self).__name__} has no network whose labels error_head, refiner or '
                'refinement could correct: leave them out, or take a method that has pseudo-labels'
            )
        for number, name in enumerate(self.labellers):
            key = f'refinement_{name}' if number else 'refinement'
            self._refinement_keys[name] = key
            network = getattr(self, name)
            refinement = LabelRefinement(
                network, self.num_classes, error_head, refiner, **(options or {})
            )
            setattr(self, key, refinement.requires_grad_(name not in self.snapshots))

    @property
    def refinements(self) -> dict[str, LabelRefinement]:
        """Refinements by the labeller whose labels they refine."""
        return {name: getattr(self, key) for name, key in self._refinement_keys.items()}

    @property
    def refinement_names(self) -> tuple[str, ...]:
        """Names of the modules of :attr:`refinements`."""
        return tuple(self._refinement_keys.values())

    @property
    def teaching_refinement(self) -> LabelRefinement | None:
        """Refinement of the labels that teach: a snapshot's where there is one, or the first."""
        own = [name for name in self.refinements if name in self.snapshots]
        return self.refinements[own[0]] if own else self.refinement

    @property
    def kept_names(self) -> tuple[str, ...]:
        """See the base class; refinements of snapshots are snapshots, too."""
        own = [key for name, key in self._refinement_keys.items() if name in self.snapshots]
        return (*super().kept_names, *own)

    def take_snapshots(self) -> None:
        """See the base class; the refinement of a snapshot takes that of its learner."""
        super().take_snapshots()
        for name, refinement in self.refinements.items():
            if name in self.snapshots:
                source = self.refinements[self.averages[name]]
                ema_update(refinement, source, decay=0.0)

    @property
    def refinement_learns(self) -> bool:
        """Whether the labellers have to see the labelled images for the refinement's heads."""
        return any(refinement.learns for refinement in self.refinements.values())

    def view(self, name: str, images: Tensor) -> NetworkView:
        """What one network shows of images ``(N, 3, H, W)``, without gradient.

        Features are those of the taps of the network's own refinement.
        """
        return self.show(name, images, self._taps(name))

    def labeller_view(
        self, name: str, images: Tensor, batch: SemiBatch, with_labelled: bool = False
    ) -> NetworkView:
        """What a network that labels shows of unlabelled images, in one pass.

        Args:
            name: Name of the labeller.
            images: ``(N, 3, H, W)``.
            batch: The step's batch; its ``labellers`` gets what the network shows of the labelled
                images, where the refinement learns from it.
            with_labelled: Whether the method needs that in any case.
        """
        if not (with_labelled or self.refinement_learns):
            return self.view(name, images)
        both = self.view(name, torch.cat((batch.labelled, images)))
        batch.labellers[name], shown = both.split(len(batch.labelled), len(images))
        return shown

    def forward_network(self, name: str, batch: SemiBatch) -> dict[str, NetworkView]:
        """One pass of a learner over the labelled images and all views.

        Returns:
            dict[str, NetworkView]: What the network shows, by branch: ``'labelled'`` and the
            names of the views. Features are those of the taps of the network's own refinement.
        """
        own = View(batch.labelled, None, None, perturb=batch.perturb_labelled)
        return self.forward_views(name, {LABELLED: own} | batch.views)

    def forward_views(self, name: str, views: dict[str, View]) -> dict[str, NetworkView]:
        """One pass of a learner over views, by name; see :meth:`forward_network`."""
        images = {key: view.images for key, view in views.items() if not view.base}
        network, taps = getattr(self, name), self._taps(name)
        with FeatureTap(network, (*taps, *self.taps)) as tap:
            features = network.extract_feat(torch.cat(list(images.values())))
            features, sizes = _with_perturbed(features, images, views)
            logits = self.decode(name, features)
        found = {path: _with_bases(tap[path], sizes, views) for path in (*taps, *self.taps)}
        whole = NetworkView(
            logits,
            [found[path] for path in taps],
            next(iter(images.values())).shape[2:],
            self.align_corners(name),
            list(features),
            {path: found[path] for path in self.taps},
        )
        return dict(zip(sizes, whole.split(*sizes.values()), strict=True))

    @torch.no_grad()
    def label(
        self, name: str, shown: NetworkView, manual: Tensor, valid: Tensor
    ) -> tuple[PseudoLabels, dict[str, Tensor]]:
        """Labels of unlabelled images by one network, refined; manual pixels win.

        Args:
            name: Name of the labeller.
            shown: What it shows of the images.
            manual: ``(N, H, W)`` int64 labels that people gave, 255 elsewhere.
            valid: ``(N, H, W)`` bool, False in the padding.

        Returns:
            tuple: Labels, and statistics of the refinement.
        """
        refinement = self.refinements.get(name)
        if refinement is not None:
            return refinement(shown, manual, valid)
        return with_manual(pseudo_labels(shown.logits, valid), manual), {}

    def learner_labels(
        self, name: str, outputs: Outputs, batch: SemiBatch, branch: str
    ) -> PseudoLabels:
        """Labels of a branch's images by a learner, from its pass with gradient.

        They are refined where the learner is a labeller, and manual pixels win.

        Args:
            name: Name of the learner.
            outputs: What the learners show.
            batch: The step's batch.
            branch: Name of the branch, ``'labelled'`` or a view.
        """
        shown = outputs[name][branch].detach()
        if branch == LABELLED:
            return pseudo_labels(shown.logits, valid_mask(batch.samples, batch.labelled))
        view = batch.views[branch]
        if name not in self.labellers:
            return with_manual(pseudo_labels(shown.logits, view.valid), view.manual)
        pseudo, stats = self.label(name, shown, view.manual, view.valid)
        batch.stats.update(add_prefix(stats, name))
        return pseudo

    def refinement_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        """Losses of the refinements' own heads, on the labelled images."""
        losses = {}
        for name, refinement in self.refinements.items():
            if refinement.learns:
                shown = batch.labellers.get(name) or outputs[name][LABELLED].detach()
                own = refinement.losses(shown, ground_truth(batch.samples))
                losses.update(own if refinement is self.refinement else add_prefix(own, name))
        return losses

    def _taps(self, name: str) -> tuple[str, ...]:
        refinement = self.refinements.get(name)
        return () if refinement is None else refinement.taps


def _with_perturbed(
    features: Sequence[Tensor], images: dict[str, Tensor], views: dict[str, View]
) -> tuple[Sequence[Tensor], dict[str, int]]:
    """Backbone features of all branches, those with a base behind the others, and their sizes."""
    sizes = {key: len(own) for key, own in images.items()}
    maps = [feature.split(list(sizes.values())) for feature in features]
    by_branch = {key: [own[i] for own in maps] for i, key in enumerate(sizes)}
    if all(view.perturb is None for view in views.values()):
        return features, sizes
    for key, view in views.items():
        if view.perturb is not None:
            by_branch[key] = view.perturb(by_branch[view.base or key])
            sizes[key] = sizes[view.base or key]
    return [torch.cat(own) for own in zip(*by_branch.values(), strict=True)], sizes


def _with_bases(tapped: Tensor, sizes: dict[str, int], views: dict[str, View]) -> Tensor:
    """A tapped map of all branches; one of the backbone has no images of views with a base."""
    if len(tapped) == sum(sizes.values()):
        return tapped
    seen = {key: size for key, size in sizes.items() if key not in views or not views[key].base}
    parts = dict(zip(seen, tapped.split(list(seen.values())), strict=True))
    return torch.cat([parts[key if key in seen else views[key].base] for key in sizes])
