"""Start of the refinement in training, and the quality of the labels that it refines."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from mmengine.dist import get_dist_info, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS

from ...datasets.checks import check_masks, check_no_image_twice
from ...datasets.label_meaning import check_same_labels
from ...datasets.transforms import LoadManualAnnotations, scatter_labels
from ...evaluation.hidden_masks import load_image
from ...evaluation.pseudo_label_quality import PseudoLabelQuality
from ...models.refinement.label_refinement import SHARES
from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError
from ...utils.options import check_ramp
from ...utils.runner import schedule_of, unwrap


@HOOKS.register_module()
class PLARHook(Hook):
    """Turns EMD and PLAR on after a warm-up, and measures them.

    The shares of each class's pseudo-labels that were flagged, corrected, changed and left
    unresolved are logged in any case, the rest where there is hidden ground truth. That belongs to
    a data set of its own, which only this hook reads, without gradient; nothing of it reaches a
    training batch.

    Args:
        begin: Share of training after which labels are refined, in [0, 1]. Until then the heads
            only learn. ``None`` turns the hook off, for a config that derives from one with
            refinement: mmengine cannot remove a hook of ``default_hooks`` again.
        loss_ramp: Shares of training between which the weight of the heads' losses rises
            linearly from 0; no ramp by default.
        dataset: Config of unlabelled images with their masks, for evaluation only; ``None`` for
            no evaluation.
        interval: Iterations between figures.

    Raises:
        UserError: ``begin`` or ``loss_ramp`` out of order.
        UserError: The model has nothing to turn on.
    """

    priority = 'HIGH'  # after SemiHook, which tells the progress

    def __init__(
        self,
        begin: float | None = 0.2,
        loss_ramp: tuple[float, float] = (0.0, 0.0),
        dataset: dict | None = None,
        interval: int = 500,
    ) -> None:
        if begin is not None and not 0 <= begin <= 1:
            raise UserError(f'PLARHook.begin={begin} is a share of training in [0, 1]')
        self.begin, self.loss_ramp = begin, check_ramp('PLARHook.loss_ramp', loss_ramp)
        self.dataset_cfg, self.interval = dataset, interval
        self.dataset = None

    def before_train(self, runner: Runner) -> None:
        """Loads the list of hidden masks.

        Raises:
            UserError: The model has no refinement.
            UserError: A mask is missing or does not fit, or an id means another class than in
                the training.
            UserError: Fewer images than processes, or some that are labelled in training.
        """
        if self.begin is None:
            return
        model = unwrap(runner)
        if not model.refinements:
            raise UserError(
                f'{type(model).__name__} has neither error_head nor refiner: give it one, or set '
                'PLARHook.begin=None'
            )
        if self.dataset_cfg is not None and self.dataset is None:
            self.dataset = DATASETS.build(self.dataset_cfg)
            labelled = getattr(runner.train_loop.dataloader.dataset, 'labelled', None)
            if labelled is not None:
                check_no_image_twice(labelled, self.dataset, 'PLARHook.dataset')
                check_same_labels(
                    {'SemiDataset.labelled': labelled, 'PLARHook.dataset': self.dataset}
                )
            check_masks(self.dataset, 'PLARHook.dataset')
            if len(self.dataset) < get_world_size():
                raise UserError(
                    f'PLARHook.dataset has {len(self.dataset)} images for {get_world_size()} '
                    'processes: each needs one'
                )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Sets the switch and the losses' weight from the position in the run alone."""
        model = unwrap(runner)
        if self.begin is None:
            return
        begin, end = schedule_of(runner)
        for refinement in model.refinements.values():
            refinement.active = runner.iter - begin >= self.begin * (end - begin)
            refinement.loss_weight = model.ramp(self.loss_ramp)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Logs what was refined, and how well, at the interval and at the end."""
        last = runner.iter + 1 == runner.max_iters
        if self.begin is None or not (last or self.every_n_train_iters(runner, self.interval)):
            return
        refinement = unwrap(runner).teaching_refinement
        classes = runner.train_loop.dataloader.dataset.metainfo['classes']
        if refinement.active:
            shares = by_class(refinement.take_class_shares(), classes)
            log(runner, 'Refined labels of each class up to', 'refinement', shares)
        if self.dataset is None:
            return
        people = getattr(runner.train_loop.dataloader.dataset, 'manual_loader', None)
        quality = measure_pseudo_labels(unwrap(runner), self.dataset, people)
        log(runner, 'Quality of pseudo-labels after', 'pseudo', quality.compute())
        shares = by_class(quality.shares(), classes)
        log(runner, 'Pseudo-labels of each class after', 'pseudo', shares)


def by_class(shares: dict[str, Iterable[float]], classes: Iterable[str]) -> dict[str, float]:
    """Values of each name and class by ``name.class``."""
    return {
        f'{name}.{label}': float(value)
        for name, values in shares.items()
        for label, value in zip(classes, values, strict=True)
    }


def log(runner: Runner, title: str, prefix: str, figures: dict[str, float]) -> None:
    """Percent, for people and for visualisers."""
    scalars = {f'{prefix}/{name}': value for name, value in figures.items()}
    runner.message_hub.update_scalars(scalars)
    text = '  '.join(f'{name}: {value:.2f}' for name, value in figures.items())
    runner.logger.info(f'{title} iteration {runner.iter + 1}: {text}')


@torch.no_grad()
def measure_pseudo_labels(
    model, dataset, people: LoadManualAnnotations | None = None
) -> PseudoLabelQuality:
    """Quality of pseudo-labels before and after refinement, in evaluation mode.

    Args:
        model: A method with a refinement.
        dataset: Images with hidden ground truth; with several ranks each looks at its share.
        people: What people have labelled in them so far, which the refinement may use and
            no figure counts.

    Returns:
        PseudoLabelQuality: Figures of all ranks together, and the shares of each class that were
        flagged, corrected, changed and left unresolved.
    """
    rank, world_size = get_dist_info()
    quality = PseudoLabelQuality(model.num_classes)
    was_training = model.training
    model.eval()
    try:
        for i in range(rank, len(dataset), world_size):
            images, truth, valid = load_image(model, dataset, i)
            manual = torch.full_like(truth, IGNORE_INDEX)
            path = dataset.get_data_info(i)['img_path']
            if people is not None and people.has_labels(path):
                resized = scatter_labels(people.read(path), manual[0].cpu().numpy())
                manual = torch.from_numpy(resized)[None].to(truth)
            _measure(model, images, truth, valid, manual, quality)
    finally:
        model.train(was_training)
    quality.reduce()
    return quality


def _measure(model, images, truth, valid, manual, quality: PseudoLabelQuality) -> None:
    """Adds an image: its labels before and after, and the maps that predict errors."""
    view = model.view(model.labellers[0], images)
    refined = model.refinement.refine(view, manual, valid)
    pseudo, asked = refined.before, manual != IGNORE_INDEX
    quality.update(pseudo.labels, refined.pseudo.labels, refined.flagged, truth, asked)
    wrong, counts = pseudo.labels != truth, (truth != IGNORE_INDEX) & ~asked
    masks = {name: getattr(refined, name) for name in SHARES}
    quality.update_shares(pseudo.labels, masks, counts)
    maps = {'confidence': 1 - pseudo.confidence}
    for least in (0.7, 0.8, 0.9):
        maps[f'confidence<{least}'] = (pseudo.confidence < least).float()
    if model.refinement.error_head is not None:
        maps['emd'] = model.refinement.error_probability(view)
    for name, score in maps.items():
        quality.update_errors(name, score, wrong, counts)
