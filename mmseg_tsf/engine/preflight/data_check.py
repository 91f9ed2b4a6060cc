"""Check of all images and masks of a training before it starts."""

from __future__ import annotations

import copy
import inspect
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from mmcv.transforms import LoadAnnotations
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info
from mmseg.registry import DATASETS, LOOPS
from PIL import Image, UnidentifiedImageError

from ...datasets.checks import check_images, check_masks
from ...datasets.image_reading import ImageReader, reader_of
from ...datasets.label_meaning import check_same_labels
from ...datasets.manual_checks import check_manual_labels
from ...datasets.manual_pipeline import all_transforms
from ...datasets.mask_counts import check_several_classes, remarks
from ...datasets.wrappers import leaves
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
    check_images(train.labelled)
    check_readable(train.labelled, 'Opening the labelled images')
    counts = check_masks(train.labelled, LABELLED)
    if not has_rounds(cfg):
        check_several_classes(counts, classes, LABELLED)
    numbers, found = dict(labelled=len(train.labelled)), remarks(counts, classes, LABELLED)
    if train.unlabelled is not None:
        check_images(train.unlabelled)
        check_readable(train.unlabelled, 'Opening the unlabelled images')
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
            check_images(dataset)
            check_readable(dataset, f'Opening the {name} images')
            if _reads_masks(dataset):
                found += check_validation(dataset, f'{key}.dataset')
            numbers[name] = len(dataset)
    return numbers, found


def has_rounds(cfg: Config) -> bool:
    """Whether the config asks for labels, so that classes may be absent at the beginning."""
    kind = (cfg.get('train_cfg') or {}).get('type')
    kind = LOOPS.get(kind) if isinstance(kind, str) else kind
    return inspect.isclass(kind) and issubclass(kind, ActiveLearningLoop)


def _reads_masks(dataset: BaseDataset) -> bool:
    return any(
        isinstance(own, LoadAnnotations)
        for _, leaf in leaves(dataset)
        for step in getattr(getattr(leaf, 'pipeline', None), 'transforms', ())
        for own in all_transforms(step)
    )


def check_readable(dataset: BaseDataset, title: str) -> None:
    """Decodes all images; each rank decodes its share.

    Args:
        dataset: Data set or stock wrapper.
        title: Title of the progress bar.

    Raises:
        UserError: A file cannot be decoded; the message names it.
    """
    rank, world_size = get_dist_info()
    with ThreadPoolExecutor(max_workers=4) as pool:
        for _, leaf in leaves(dataset):
            infos = [leaf.get_data_info(i) for i in range(rank, len(leaf), world_size)]
            decoded = pool.map(partial(_decode, reader=reader_of(leaf)), infos)
            for _ in track(decoded, title, len(infos)):
                pass


def _decode(info: dict, reader: ImageReader) -> None:
    """Decodes an image: with Pillow, which notices damage, or else as the pipeline loads it."""
    path, reason = info['img_path'], ''
    try:
        with Image.open(path) as image:
            image.load()
            strictly = image.format in ('JPEG', 'PNG')
    except UnidentifiedImageError:
        strictly = False
    except (OSError, SyntaxError, ValueError) as error:
        reason = str(error)
    if reason:
        raise UserError(
            f'{path} cannot be read ({reason}): replace the file, or remove its name from the list'
        )
    if not strictly:
        reader.pixels(info)
