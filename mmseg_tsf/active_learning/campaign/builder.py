"""A campaign from a training config."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS

from ...datasets.image_reading import check_same_reading, reader_of
from ...datasets.label_meaning import check_same_labels, leaves, without_files
from ...datasets.mask_reading import MaskReader
from ...datasets.wrappers import check_is_one
from ...utils.errors import UserError
from ...utils.settings import flatten, kind_name, training_settings
from ..pool.pool import Pool, relative_path
from ..registry import ORACLES, QUERY_STRATEGIES, SELECTORS
from ..selection.clicks import class_counts
from ..store.campaign_file import TRAINING
from ..store.round_store import RoundStore
from .budget import Budget
from .campaign import Campaign

UNNAMED = ('type', 'annotation_dir', 'batch_size', 'num_workers', 'pipeline')
"""Options that are named in their own way, or change nothing that is asked."""
OF_LOADERS = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor')
"""Options of a training's data that change nothing that is learnt."""


def build_campaign(
    store: RoundStore,
    cfg: Config,
    dataset,
    rounds: int,
    budget: dict,
    query: dict,
    first_query: dict | None,
    selector: dict,
    oracle: dict,
    pool: dict,
    seed: int,
    work_dir: Path,
    **options,
) -> Campaign:
    """Builds everything that asks and answers.

    Args:
        store: The rounds on disk.
        cfg: Config of the run, for the pool and its pipeline.
        dataset: The ``SemiDataset`` that is trained on.
        rounds: See ``Campaign``.
        budget: Options of ``Budget``.
        query: Config of the query strategy.
        first_query: Config of the strategy of round 0, or ``None``.
        selector: Config of a selector.
        oracle: Config of an oracle.
        pool: ``pipeline`` for the images (the test pipeline without annotations by default), and
            options of :func:`~mmseg_tsf.active_learning.selection.selection.select`.
        seed: Seed of the run.
        work_dir: Folder of the run, for what people receive.
        **options: Options of the loop, to name what a resumed run changes.
    """
    for name, own in dict(
        query=query, first_query=first_query, selector=selector, oracle=oracle, pool=pool
    ).items():
        options.update({f'{name}.{k}': v for k, v in (own or {}).items() if k not in UNNAMED})
    source = copy.deepcopy(cfg.train_dataloader.dataset.unlabelled)
    pass_options = dict(pool)
    pipeline = pass_options.pop('pipeline', None) or test_pipeline(cfg)
    options[TRAINING] = describe_training(cfg, pipeline)
    own = cfg.train_dataloader.dataset.labelled
    check_is_one(own, 'SemiDataset.labelled', 'a run with rounds records one list of images')
    images = Pool(DATASETS.build(dict(source, pipeline=pipeline)), store)
    check_same_reading(images.infos(), reader_of(dataset.unlabelled), images.reader)
    labelled = copy.deepcopy(own)
    labelled.serialize_data = False  # mmengine cannot serialise an empty list
    num_classes, initial = len(dataset.metainfo['classes']), len(dataset.labelled)
    answerer = ORACLES.build(oracle)
    answerer.bind(with_classes(source, dataset.labelled), work_dir, num_classes)
    return Campaign(
        store=store,
        pool=images,
        facts=describe_data(dataset.labelled, images),
        rounds=rounds,
        budget=Budget(**budget),
        query=QUERY_STRATEGIES.build(query),
        first_query=QUERY_STRATEGIES.build(first_query) if first_query else None,
        selector=SELECTORS.build(selector),
        oracle=answerer,
        seed=seed,
        pass_options=pass_options,
        options=json.loads(json.dumps(options, default=str)),
        labelled=Pool(DATASETS.build(dict(labelled, pipeline=pipeline))) if initial else None,
        initial_counts=lambda: count_classes(labelled, num_classes),
    )


def with_classes(pool: Config, labelled: BaseDataset) -> Config:
    """Config of the pool with the class names of the labelled images, for the oracle and people.

    Args:
        pool: Config of the unlabelled images, which may name no classes.
        labelled: Data set of the labelled images.

    Raises:
        UserError: The masks of the pool would be read with another label map.
    """
    key, classes = 'SemiDataset.unlabelled', labelled.metainfo['classes']
    if not without_files(pool, key)[key].metainfo.get('classes'):
        pool = copy.deepcopy(pool)
        pool.metainfo = dict(pool.get('metainfo') or {}, classes=tuple(classes))
    check_same_labels({'SemiDataset.labelled': labelled, **without_files(pool, key)})
    return pool


def count_classes(labelled: dict, num_classes: int) -> np.ndarray:
    """``(K,)`` pixels of each class in the masks of a data set, given by its config."""
    counts = np.zeros(num_classes, np.int64)
    for _, leaf in leaves(DATASETS.build(labelled)):
        reader = MaskReader(leaf.pipeline.transforms)
        for i in range(len(leaf)):
            ids = reader.class_ids(leaf.get_data_info(i))
            counts += np.asarray(class_counts(ids, num_classes), np.int64)
    return counts


def describe_training(cfg: Config, pool_pipeline: list[dict]) -> dict[str, str]:
    """Settings of the training, flat, to name what a resumed run changes."""
    parts = training_settings(cfg)
    del parts['train_cfg']  # its options are named one by one
    flat = flatten({**parts, 'pool.pipeline': pool_pipeline})
    return {key: flat[key] for key in flat if key.rsplit('.', 1)[-1] not in OF_LOADERS}


def test_pipeline(cfg: Config) -> list[dict]:
    """The pipeline of the test (or validation) images without their annotations.

    Raises:
        UserError: The config has neither.
    """
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader')
    if loader is None:
        raise UserError(
            'the pool is shown as test images are, but the config has neither test_dataloader '
            'nor val_dataloader: give train_cfg.pool.pipeline'
        )
    return [step for step in loader.dataset.pipeline if 'Annotations' not in kind_name(step)]


def describe_data(labelled, pool: Pool) -> dict:
    """The facts of a campaign: images, classes, and how much there is to ask and is paid.

    Args:
        labelled: Data set of the images that are labelled from the start; they count at full
            price (their clicks are not known).
        pool: The images that may be asked.
    """
    paths = [labelled.get_data_info(i)['img_path'] for i in range(len(labelled))]
    reader = reader_of(labelled)
    pixels = sum(math.prod(reader.size(labelled.get_data_info(i))) for i in range(len(paths)))
    initial = dict(pixels=pixels, images=len(paths), regions=len(paths), clicks=0)
    sizes = (pool.size(i) for i in range(len(pool)))
    available = dict(
        pixels=pixels + sum(height * width for height, width in sizes),
        images=len(paths) + len(pool),
    )
    return dict(
        pool=_fingerprint(pool.image_id(i) for i in range(len(pool))),
        initial_list=_fingerprint(Path(path).name for path in paths),
        initial_paths=_fingerprint(relative_path(labelled, i) for i in range(len(labelled))),
        classes=list(labelled.metainfo['classes']),
        initial=initial,
        available=available,
    )


def _fingerprint(names: Iterable[str]) -> str:
    names = list(names)
    digest = hashlib.sha256('\n'.join(names).encode()).hexdigest()[:16]
    return f'{len(names)} images, sha256 {digest}'
