"""A tiny pool, its model and its labels, for the tests of queries."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from helpers import NUM_CLASSES, REFINED, build_model, tiny_segmentor
from mmseg.registry import DATASETS
from tiny_runs import part_cfg

from mmseg_tsf.active_learning.pool.outputs import ScoredImage, cell_centres
from mmseg_tsf.active_learning.pool.pool import Pool, PoolImage
from mmseg_tsf.active_learning.registry import QUERY_STRATEGIES, SELECTORS
from mmseg_tsf.active_learning.selection.candidates import Choice
from mmseg_tsf.active_learning.selection.selection import select
from mmseg_tsf.active_learning.strategies.base import QueryContext, QueryStrategy
from mmseg_tsf.models import DifficultyBranch

STRATEGIES = {
    'random': dict(type='RandomQuery'),
    'entropy': dict(type='EntropyQuery'),
    'margin': dict(type='MarginQuery'),
    'least_confidence': dict(type='LeastConfidenceQuery'),
    'confidence': dict(type='ConfidenceQuery', threshold=0.7),
    'error_mask': dict(type='ErrorMaskQuery'),
    'plar': dict(type='PLARQuery'),
    'plar_paper_order': dict(type='PLARQuery', paper_order=True),
    'seed': dict(type='SeedQuery'),
    'core_set': dict(type='CoreSetQuery'),
    'core_set_euclidean': dict(type='CoreSetQuery', metric='euclidean'),
    'qbc': dict(type='QBCQuery', passes=3),
    'qbc_networks': dict(type='QBCQuery', networks=()),
    'pixel_pick': dict(type='PixelPickQuery'),
    'ripu': dict(type='RIPUQuery'),
    'ripu_pixel': dict(type='RIPUQuery', radius=4, pixel=True),
    's4al': dict(type='S4ALQuery'),
    'clasp': dict(type='ClaSPQuery'),
    'foreground_random': dict(type='ForegroundRandomQuery'),
    'deal': dict(type='DEALQuery'),
    'deal_entropy': dict(type='DEALQuery', score='entropy', bins=4),
    'vaal': dict(type='VAALQuery', size=32, channels=32, latent=4, iterations=2, batch_size=4),
}
SELECTOR = dict(type='PixelSelector')
BUDGET = 25


class FakeLabels:
    """What earlier rounds know, in memory."""

    def __init__(self) -> None:
        self.masks: dict[str, np.ndarray] = {}
        self.labels: dict[str, np.ndarray] = {}

    def index(self) -> FakeLabels:
        return self

    def asked(self, image_id: str) -> np.ndarray | None:
        return self.masks.get(image_id)

    def manual(self, image_id: str) -> np.ndarray | None:
        return self.labels.get(image_id)

    def answer(self, pool: Pool, requests: dict[int, np.ndarray]) -> None:
        """Takes requests as asked; every second pixel gets a label, the others are void."""
        for index, mask in requests.items():
            image_id = pool.image_id(index)
            self.masks[image_id] = mask | self.masks.get(image_id, False)
            labels = self.labels.setdefault(image_id, np.full(mask.shape, 255, np.uint8))
            labels[mask] = np.where(np.arange(mask.sum()) % 2, 255, index % NUM_CLASSES)


def make_pool(root, labels=None, steps: tuple = (), **options) -> Pool:
    """The unlabelled images of ``tiny_runs.make_dataset``, whose masks do not exist."""
    pipeline = [dict(type='LoadImageFromFile'), *steps, dict(type='PackSegInputs')]
    cfg = part_cfg(root, options.pop('ann_file', 'unlabelled.txt'), pipeline)
    cfg.update(options)
    cfg['data_prefix']['seg_map_path'] = str(root / 'there_is_no_such_folder')
    return Pool(DATASETS.build(cfg), labels)


def make_model(**options):
    """A teacher with dropout, an error head, a refiner and a difficulty branch, for every strategy.

    Its probabilities differ from cell to cell.
    """
    options.setdefault('segmentor', tiny_segmentor(dropout_ratio=0.5))
    model = build_model('mt', **{**REFINED, **options})
    model.attach('difficulty', DifficultyBranch(NUM_CLASSES, size=(8, 8)), network='student')
    return model


def make_query(strategy: str, model, pool: Pool | None = None, seed: int = 0) -> QueryStrategy:
    """One of :data:`STRATEGIES`, prepared for a pass over a pool as a campaign prepares it."""
    query = QUERY_STRATEGIES.build(STRATEGIES[strategy])
    query.check(model)
    root = None if pool is None else Path(pool.dataset.ann_file).parent
    labelled = None if root is None else make_pool(root, ann_file='labelled.txt')
    query.begin(make_context(model, pool, seed, labelled=labelled))
    return query


def run_query(
    model, pool: Pool, strategy: str, budget: int = BUDGET, seed: int = 0, **options
) -> list[Choice]:
    """The choice of one of :data:`STRATEGIES`, by pixels."""
    query = make_query(strategy, model, pool, seed)
    selector = SELECTORS.build(options.pop('selector', SELECTOR))
    return select(model, pool, query, selector, budget, seed=seed, **options)


def make_context(model, pool: Pool, seed: int = 0, **changes) -> QueryContext:
    """What a round knows before its pass; the labelled images are none."""
    context = QueryContext(
        model, pool, None, 0, 2, seed, Path(tempfile.mkdtemp()), lambda: np.ones(NUM_CLASSES)
    )
    return replace(context, **changes)


def request_masks(pool: Pool, choices: list[Choice], selector: dict = SELECTOR) -> dict:
    """Native request masks by pool index."""
    selector = SELECTORS.build(selector)
    return {
        choice.index: selector.mask(choice.units, pool.image(choice.index), choice.limits)
        for choice in choices
    }


def plain(choices: list[Choice]) -> list[tuple]:
    """Choices that can be compared."""
    return [(choice.index, choice.units.tolist(), choice.limits, choice.cost) for choice in choices]


def scored_image(scores, index: int = 0, size: tuple[int, int] | None = None, **image):
    """A :class:`ScoredImage` of ``(h, w)`` scores; native cells of 4x4 by default."""
    scores = np.asarray(scores, np.float16)
    size = size or (4 * scores.shape[0], 4 * scores.shape[1])
    rows, columns = (cell_centres(*pair) for pair in zip(size, scores.shape, strict=True))
    extra = {key: image.pop(key) for key in ('classes', 'prepared') if key in image}
    return ScoredImage(PoolImage(index, str(index), size, **image), scores, rows, columns, **extra)


def random_images(num: int, shape: tuple[int, int] = (6, 5), seed: int = 0) -> list[ScoredImage]:
    """Images with few different scores, some cells that must not be asked, and classes."""
    rng = np.random.default_rng(seed)
    images = []
    for index in range(num):
        scores = rng.integers(-20, 20, shape) / 16
        scores[rng.random(shape) < 0.1] = -np.inf
        classes = rng.integers(0, 3, shape).astype(np.uint8) ** 2
        images.append(scored_image(scores, index, classes=classes))
    return images
