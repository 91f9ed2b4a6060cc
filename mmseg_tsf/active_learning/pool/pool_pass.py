"""One pass over the pool: every rank its share, scores reduced on the device."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dist import get_dist_info
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ...models.utils.grid import labels_to_grid, nearest, resize_features
from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError
from ...utils.progress import track
from ...utils.runner import unwrap_model
from ...utils.stopping import worker_init
from .grid_forward import GridForward
from .outputs import NEVER, PoolOutputs, ScoredImage, Scorer, cell_centres
from .pool import Pool, PoolImage
from .reader import PoolItem, PoolReader, batches_of_one_size

HALF_MAX = float(np.finfo(np.float16).max)


def score_pool(
    model: nn.Module,
    pool: Pool,
    strategy: Scorer,
    prepare: Callable[[PoolImage], np.ndarray | None] | None = None,
    with_classes: bool = False,
    seed: int = 0,
    whole_images: bool = False,
    batch_size: int = 1,
    num_workers: int = 0,
    flip: bool = False,
    scales: Sequence[float] | None = None,
) -> Iterator[ScoredImage]:
    """Scores this rank's share of the pool, the images ``rank, rank + world size, ...``.

    A batch holds only images that have one size after the pipeline, so no image is padded because
    of another and the result does not depend on ranks, workers or batch size, as far as the
    network's arithmetic does not. The model is in evaluation mode meanwhile and afterwards as it
    was; no global random state changes.

    Args:
        model: See :class:`GridForward`; may be wrapped by DDP.
        pool: The images.
        strategy: Query strategy that gives the scores.
        prepare: Work on an image alone, done by the loader's workers; see ``Selector.prepare``.
        with_classes: Whether the predicted classes of the cells are needed.
        seed: Seed of the query.
        whole_images: Whether embeddings of cells are averaged over each image on the device.
        batch_size: Number of images in a forward pass.
        num_workers: Number of workers of the loader.
        flip: See :class:`GridForward`.
        scales: See :class:`GridForward`.

    Yields:
        ScoredImage: In any order.

    Raises:
        UserError: An option is wrong, or a score is not a number.
    """
    forward = check_pass(model, strategy, batch_size, num_workers, flip, scales)
    model = forward.model
    scorer = _BatchScorer(model, forward, strategy, with_classes, seed, whole_images)
    rank, world_size = get_dist_info()
    share = range(rank, len(pool), world_size)
    loader = DataLoader(
        PoolReader(pool.listed(), prepare, seed),
        batch_size=None,
        sampler=share,
        num_workers=num_workers,
        prefetch_factor=max(2, batch_size) if num_workers else None,
        collate_fn=_as_it_is,
        worker_init_fn=worker_init(),
        generator=torch.Generator(),
    )
    scored = _score(scorer, batches_of_one_size(loader, batch_size))
    say = functools.partial(print_log, logger='current')
    with evaluation_mode(model), contextlib.closing(scored):
        yield from track(scored, 'Scoring the pool', len(share), say)


def check_pass(
    model: nn.Module,
    strategy: Scorer,
    batch_size: int = 1,
    num_workers: int = 0,
    flip: bool = False,
    scales: Sequence[float] | None = None,
    **unknown,
) -> GridForward:
    """The forward pass of :func:`score_pool`; checks its options before any time is spent.

    Raises:
        UserError: An option is wrong, unknown or does not fit the model; the message names it.
    """
    if unknown:
        raise UserError(
            f'train_cfg.pool has no option {", ".join(unknown)}: it takes batch_size, '
            'num_workers, flip, scales and pipeline'
        )
    for name, value, least in (('batch_size', batch_size, 1), ('num_workers', num_workers, 0)):
        if not isinstance(value, int) or value < least:
            raise UserError(f'{name}={value!r} must be a whole number, at least {least}')
    return GridForward(unwrap_model(model), strategy, flip, scales)


def _score(scorer: _BatchScorer, batches: Iterable[list[PoolItem]]) -> Iterator[ScoredImage]:
    waiting = None
    for batch in batches:
        started = scorer.start(batch)
        if waiting is not None:  # the device is busy with the next batch meanwhile
            yield from waiting.finish()
        waiting = started
    if waiting is not None:
        yield from waiting.finish()


@contextlib.contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode of every module; afterwards each has its own mode again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@dataclass
class _Started:
    """A batch that is being computed."""

    items: list[PoolItem]
    padded: tuple[int, int]
    scores: Tensor
    broken: Tensor
    classes: Tensor | None
    embeddings: Tensor | None
    done: object | None
    ranked: bool

    def finish(self) -> Iterator[ScoredImage]:
        if self.done is not None:
            self.done.synchronize()
        scores = self.scores.numpy()
        classes, embeddings = (
            [None] * len(scores) if own is None else own.numpy()
            for own in (self.classes, self.embeddings)
        )
        for item, own, no_number, predicted, embedding in zip(
            self.items, scores, self.broken.tolist(), classes, embeddings, strict=True
        ):
            if no_number:
                raise UserError(
                    f'the scores of {item.image.image_id} are no numbers: the weights of the '
                    'network are broken, so go back to an earlier checkpoint'
                )
            rows, columns = (
                cell_centres(item.image.size[axis], own.shape[axis], shown, self.padded[axis])
                for axis, shown in enumerate(item.inputs.shape[1:])
            )
            yield ScoredImage(
                item.image, own, rows, columns, predicted, item.prepared, self.ranked, embedding
            )


class _BatchScorer:
    """Preprocesses a batch, runs the network and reduces the scores, all on the device."""

    def __init__(
        self, model, forward, strategy, with_classes: bool, seed: int, whole_images: bool
    ) -> None:
        self.model, self.forward, self.strategy = model, forward, strategy
        self.with_classes, self.seed, self.whole_images = with_classes, seed, whole_images

    @torch.no_grad()
    def start(self, items: list[PoolItem]) -> _Started:
        images, valid = preprocess(self.model, items)
        padded = tuple(images.shape[2:])
        keys = torch.tensor([item.image.index for item in items])
        manual = functools.partial(manual_labels, items, padded, self.forward.model)
        outputs = self.forward(images, keys, self.seed, manual, valid)
        scores = to_half(self.strategy.score(outputs))
        # a comparison with what is no number is False, so scores alone can hide it
        finite = outputs.logits < torch.inf  # so do infinite ones, whose softmax is no number
        broken = scores.isnan().flatten(1).any(1) | ~finite.flatten(1).all(1)
        classes = outputs.predicted.to(torch.uint8) if self.with_classes else None
        embeddings = self._embed(outputs, valid, tuple(scores.shape[1:]))
        maps, done = (scores, broken, classes, embeddings), None
        if scores.is_cuda:
            maps = [own if own is None else own.to('cpu', non_blocking=True) for own in maps]
            done = torch.cuda.Event()
            done.record()
        return _Started(items, padded, *maps, done, self.strategy.ranks)

    def _embed(self, outputs: PoolOutputs, valid: Tensor, grid: tuple[int, int]) -> Tensor | None:
        """``(N, D)`` float32 of the images, or ``(N, D, h, w)`` of the cells that are scored."""
        embeddings = self.strategy.embed(outputs)
        if embeddings is None or embeddings.ndim == 2:
            return embeddings if embeddings is None else embeddings.float()
        if self.whole_images:
            size = tuple(embeddings.shape[2:])
            return image_means(embeddings.float(), nearest(valid, size))
        return resize_features(embeddings, grid).float()


def preprocess(model: nn.Module, items: Sequence[PoolItem]) -> tuple[Tensor, Tensor]:
    """Images of one size as the network takes them.

    Args:
        model: Model with the preprocessor.
        items: Items of the batch, N.

    Returns:
        tuple[Tensor, Tensor]: ``(N, 3, H, W)``, and ``(N, H, W)`` bool, False in the padding.
    """
    batch = dict(
        inputs=[item.inputs for item in items], data_samples=[item.sample for item in items]
    )
    images = model.data_preprocessor(batch, False)['inputs']
    height, width = items[0].inputs.shape[1:]
    valid = torch.zeros_like(images[:, 0], dtype=torch.bool)
    valid[:, :height, :width] = True
    return images, valid


def manual_labels(
    items: Sequence[PoolItem], padded: tuple[int, int], model: nn.Module, grid: tuple[int, int]
) -> Tensor:
    """Manual labels of a batch on a grid over the padded input.

    Args:
        items: Items of the batch, N.
        padded: Height and width of the padded input.
        model: Model, for the number of classes and the device.
        grid: Height and width.

    Returns:
        Tensor: ``(N, h, w)`` int64, 255 where there is none.
    """
    device = next(model.parameters()).device
    labels = torch.full((len(items), *grid), IGNORE_INDEX, dtype=torch.int64, device=device)
    for i, item in enumerate(items):
        if item.image.manual is None:
            continue
        own = torch.from_numpy(item.image.manual).to(device).long()[None]
        # as many native pixels as the padding would have
        more = [
            native * whole // shown - native
            for native, whole, shown in zip(
                own.shape[1:], padded, item.inputs.shape[1:], strict=True
            )
        ]
        own = F.pad(own, (0, more[1], 0, more[0]), value=IGNORE_INDEX)
        labels[i] = labels_to_grid(own, grid, model.num_classes)[0]
    return labels


def image_means(maps: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``(N, D, h, w)`` maps over the cells of a ``(N, h, w)`` bool mask, ``(N, D)``."""
    mask = mask.unsqueeze(1)
    return (maps * mask).sum(dim=(2, 3)) / mask.sum(dim=(2, 3)).clamp(min=1)


def to_half(scores: Tensor) -> Tensor:
    """Float16 scores; what is too large for it is its largest number, ``-inf`` stays."""
    never = scores == NEVER
    return scores.clamp(-HALF_MAX, HALF_MAX).masked_fill(never, NEVER).half()


def _as_it_is(item: PoolItem) -> PoolItem:
    return item
