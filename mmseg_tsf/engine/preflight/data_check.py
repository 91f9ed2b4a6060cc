"""Check of all images and masks of a training before it starts."""

from __future__ import annotations

import copy
import os.path as osp
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from mmcv.transforms import LoadAnnotations
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info
from mmseg.registry import DATASETS
from PIL import Image

from ...datasets.checks import check_images, check_masks
from ...datasets.wrappers import parts_of
from ...utils.errors import UserError
from ...utils.progress import track


def check_data(cfg: Config) -> dict[str, int]:
    """Opens and checks the images and masks of training, validation and test.

    Args:
        cfg: Training config; the current default scope must be MMSeg's.

    Returns:
        dict[str, int]: Numbers of images of ``labelled``, ``unlabelled``, ``validation`` and
        ``test``.

    Raises:
        UserError: A file is missing, damaged or does not fit; the message names it.
    """
    train = DATASETS.build(copy.deepcopy(cfg.train_dataloader.dataset))
    datasets = dict(labelled=(train.labelled, True))
    if train.unlabelled is not None:
        datasets['unlabelled'] = train.unlabelled, False
    seen = []
    for name, key in (('validation', 'val_dataloader'), ('test', 'test_dataloader')):
        source = cfg.get(key) and cfg[key].dataset
        if source and source not in seen:
            seen.append(source)
            dataset = DATASETS.build(copy.deepcopy(source))
            datasets[name] = dataset, all(map(_reads_masks, parts_of(dataset)))
    for name, (dataset, with_masks) in datasets.items():
        for part in parts_of(dataset):
            _check_dataset(name, part, with_masks)
    return {name: len(dataset) for name, (dataset, _) in datasets.items()}


def _check_dataset(name: str, dataset: BaseDataset, with_masks: bool) -> None:
    check_images(dataset)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    paths = [info['img_path'] for info in infos]
    if with_masks:
        paths += [info['seg_map_path'] for info in infos if info.get('seg_map_path')]
    check_readable(paths, f'Opening the {name} images')
    if with_masks:
        check_masks(dataset)


def _reads_masks(dataset: BaseDataset) -> bool:
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    return any(isinstance(step, LoadAnnotations) for step in steps)


def check_readable(paths: Sequence[str], title: str) -> None:
    """Decodes all existing images; each rank decodes its share.

    Args:
        paths: Paths of the images.
        title: Title of the progress bar.

    Raises:
        UserError: A file cannot be decoded; the message names it.
    """
    rank, world_size = get_dist_info()
    own = [path for path in paths[rank::world_size] if osp.isfile(path)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        for _ in track(pool.map(_decode, own), title, len(own)):
            pass


def _decode(path: str) -> None:
    reason = ''
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        reason = str(error)
    if reason:
        raise UserError(
            f'{path} cannot be read ({reason}): replace the file, or remove its name from the list'
        )
