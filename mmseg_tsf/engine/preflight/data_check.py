"""Check of all images and masks of a training before it starts."""

from __future__ import annotations

import copy
import inspect
import os.path as osp
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from mmcv.transforms import LoadAnnotations
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info
from mmseg.registry import DATASETS, LOOPS
from PIL import Image

from ...datasets.checks import check_images, check_masks
from ...datasets.label_meaning import check_same_labels, leaves
from ...datasets.manual_checks import check_manual_labels
from ...datasets.manual_pipeline import all_transforms
from ...datasets.mask_counts import check_several_classes, remarks
from ...utils.errors import UserError
from ...utils.progress import track
from ..loops.active_learning_loop import ActiveLearningLoop
from .label_check import LABELLED, check_validation


def check_data(cfg: Config) -> tuple[dict[str, int], list[str]]:
    """Opens and checks the images and masks of training, validation and test.

    Args:
        cfg: Training config; the current default scope must be MMSeg's.

    Returns:
        tuple[dict[str, int], list[str]]: Numbers of images of ``labelled``, ``unlabelled``,
        ``validation`` and ``test``; remarks on masks that may be right but should be looked at.

    Raises:
        UserError: A file is missing, damaged or does not fit; the message names it.
        UserError: A class id does not mean the same in all data sets.
    """
    train = DATASETS.build(dict(copy.deepcopy(cfg.train_dataloader.dataset), check_files=False))
    classes = train.metainfo['classes']
    _check_files('labelled', train.labelled, with_masks=True)
    counts = check_masks(train.labelled, LABELLED)
    if not has_rounds(cfg):
        check_several_classes(counts, classes, LABELLED)
    numbers, found = dict(labelled=len(train.labelled)), remarks(counts, classes, LABELLED)
    if train.unlabelled is not None:
        _check_files('unlabelled', train.unlabelled, with_masks=False)
        numbers['unlabelled'] = len(train.unlabelled)
        if train.manual_loader.folder is not None:
            check_manual_labels(train.unlabelled, train.labelled, train.manual_loader, len(classes))
    seen = []
    for name, key in (('validation', 'val_dataloader'), ('test', 'test_dataloader')):
        source = cfg.get(key) and cfg[key].dataset
        if source and source not in seen:
            seen.append(source)
            dataset = DATASETS.build(copy.deepcopy(source))
            check_same_labels({LABELLED: train.labelled, f'{key}.dataset': dataset})
            with_masks = _reads_masks(dataset)
            _check_files(name, dataset, with_masks)
            found += check_validation(dataset, f'{key}.dataset') if with_masks else []
            numbers[name] = len(dataset)
    return numbers, found


def has_rounds(cfg: Config) -> bool:
    """Whether the config asks for labels, so that classes may be absent at the beginning."""
    kind = (cfg.get('train_cfg') or {}).get('type')
    kind = LOOPS.get(kind) if isinstance(kind, str) else kind
    return inspect.isclass(kind) and issubclass(kind, ActiveLearningLoop)


def _check_files(name: str, dataset: BaseDataset, with_masks: bool) -> None:
    check_images(dataset)
    for _, leaf in leaves(dataset):
        infos = [leaf.get_data_info(i) for i in range(len(leaf))]
        paths = [info['img_path'] for info in infos]
        if with_masks:
            paths += [info['seg_map_path'] for info in infos if info.get('seg_map_path')]
        check_readable(paths, f'Opening the {name} images')


def _reads_masks(dataset: BaseDataset) -> bool:
    return any(
        isinstance(own, LoadAnnotations)
        for _, leaf in leaves(dataset)
        for step in getattr(getattr(leaf, 'pipeline', None), 'transforms', ())
        for own in all_transforms(step)
    )


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
