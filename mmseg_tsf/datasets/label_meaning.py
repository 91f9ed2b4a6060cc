"""Whether the same class id means the same class in all data sets of a run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from mmseg.registry import DATASETS

from ..models.utils.labels import IGNORE_INDEX
from ..utils.errors import UserError
from .wrappers import leaf_configs, leaves


@dataclass(frozen=True)
class LabelMeaning:
    """What the ids in the masks of a data set mean.

    Attributes:
        classes: Class names in the order of the ids that a network learns.
        label_map: Class id of an id in a mask file, after ``reduce_zero_label``; ``None`` where
            the ids in the files are the class ids.
        reduce_zero_label: Whether 0 in a file means 255, and other ids are one larger than the
            classes.
    """

    classes: tuple[str, ...]
    label_map: dict[int, int] | None
    reduce_zero_label: bool

    @classmethod
    def of(cls, metainfo: Mapping) -> LabelMeaning | None:
        """Meaning by the ``metainfo`` of a data set; ``None`` where that names no classes."""
        classes = metainfo.get('classes')
        if not classes:
            return None
        label_map = metainfo.get('label_map')
        return cls(tuple(classes), label_map, bool(metainfo.get('reduce_zero_label', False)))

    def class_id(self, value: int) -> int:
        """Class id of an id in a mask file after ``reduce_zero_label``."""
        return (self.label_map or {}).get(value, value)

    def difference(self, other: LabelMeaning) -> str:
        """Name of the first setting that differs and changes what an id means; ``''`` for none."""
        for name in ('classes', 'reduce_zero_label'):
            if getattr(self, name) != getattr(other, name):
                return name
        known = {*range(len(self.classes)), IGNORE_INDEX}
        for value in (self.label_map or {}).keys() | (other.label_map or {}).keys():
            pair = self.class_id(value), other.class_id(value)
            # an id that is no class of one data set is an error of its masks
            if pair[0] != pair[1] and known.issuperset(pair):
                return 'label_map'
        return ''


def check_same_labels(datasets: Mapping[str, object], may_be_unnamed: bool = False) -> None:
    """Checks that classes, label map and ``reduce_zero_label`` are those of the first data set.

    Args:
        datasets: Data sets and wrappers of them by their config key.
        may_be_unnamed: Whether all but the first may name no classes, as pools without masks.

    Raises:
        UserError: A data set names no classes, or two differ; the message names both and their
            values.
    """
    first_key, first = '', None
    for name, dataset in datasets.items():
        for key, leaf in leaves(dataset, name):
            meaning = LabelMeaning.of(getattr(leaf, 'metainfo', {}))
            if meaning is None and (first is None or not may_be_unnamed):
                raise UserError(
                    f"{key} names no classes: set its metainfo=dict(classes=('...', '...')), in "
                    'the order of the class ids'
                )
            if first is None:
                first_key, first = key, meaning
            elif meaning is not None:
                _compare(first_key, first, key, meaning)


def _compare(first_key: str, first: LabelMeaning, key: str, own: LabelMeaning) -> None:
    name = first.difference(own)
    if name:
        said = 'metainfo.classes' if name == 'classes' else name
        raise UserError(
            f'{first_key} has {said}={getattr(first, name)}, but {key} has '
            f'{said}={getattr(own, name)}, so a class id would not mean the same in both: give '
            'both the same type, metainfo and reduce_zero_label, and masks with the same ids'
        )


def without_files(cfg: Mapping, key: str) -> dict[str, object]:
    """Data sets that know their classes and read no list, for :func:`check_same_labels`.

    Args:
        cfg: Config of a data set or of a wrapper.
        key: Its config key.

    Returns:
        dict[str, object]: Data sets in it by their config key.
    """
    return {name: _lazily(own) for name, own in leaf_configs(cfg, key)}


def _lazily(cfg: Mapping) -> object:
    kind = DATASETS.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    parameters = inspect.signature(kind.__init__).parameters.values()
    takes = {p.name for p in parameters}
    if 'lazy_init' not in takes and all(p.kind is not p.VAR_KEYWORD for p in parameters):
        return DATASETS.build(dict(cfg))
    # with test_mode, MMSegmentation asserts that there are classes
    return DATASETS.build(dict(cfg, lazy_init=True, pipeline=[], test_mode=False))
