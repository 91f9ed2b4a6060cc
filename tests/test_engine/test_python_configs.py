"""Configs that are written in Python alone, with classes as types."""

import mmseg.registry
import pytest
from mmengine.config import Config
from mmengine.registry import Registry
from tiny_runs import active_learning_cfg, make_runner

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.active_learning.registry import ORACLES, QUERY_STRATEGIES, SELECTORS
from mmseg_tsf.engine.preflight.config_check import check_config, load_config
from mmseg_tsf.engine.preflight.dry_run import dry_run
from mmseg_tsf.utils.settings import flatten, kind_name

REGISTRIES = [
    *(own for own in vars(mmseg.registry).values() if isinstance(own, Registry)),
    QUERY_STRATEGIES,
    SELECTORS,
    ORACLES,
]


def with_classes(part):
    """A config whose types are the classes that the registries have under their names."""
    if isinstance(part, dict):
        part = {key: with_classes(value) for key, value in part.items()}
        if isinstance(part.get('type'), str):
            found = (registry.get(part['type']) for registry in REGISTRIES)
            part['type'] = next((own for own in found if own is not None), part['type'])
        return part
    return type(part)(map(with_classes, part)) if isinstance(part, (list, tuple)) else part


def test_a_run_with_rounds_is_the_same_with_classes(data_root, tmp_path):
    masks = []
    for name in ('names', 'classes'):
        cfg = active_learning_cfg('mt', data_root, tmp_path / name)
        if name == 'classes':
            cfg = type(cfg)(with_classes(cfg.to_dict()))
            assert isinstance(cfg.model.type, type) and isinstance(cfg.train_cfg.type, type)
            check_config(cfg)
            dry_run(cfg)
        make_runner(cfg).train()
        store = RoundStore(tmp_path / name / 'rounds')
        requests = [store.request(number) for number in store.numbers()]
        masks.append({(r.number, i): r.mask(i).tobytes() for r in requests for i in r.images})
    assert masks[0] == masks[1] and masks[0]


SOURCE = """
from mmengine.config import read_base
from mmengine.runner import IterBasedTrainLoop
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations, PackSegInputs
from mmcv.transforms import LoadImageFromFile
from mmseg_tsf.datasets import SemiDataset

train_cfg = dict(type=IterBasedTrainLoop, max_iters=3)
dataset = dict(
    type=SemiDataset,
    labelled=dict(
        type=BaseSegDataset,
        pipeline=[
            dict(type=LoadImageFromFile),
            dict(type=LoadAnnotations),
            dict(type=PackSegInputs),
        ],
    ),
)
default_scope = 'mmseg'
"""


def test_a_file_with_imports_reads_and_dumps_to_the_same_settings(tmp_path):
    (tmp_path / 'python.py').write_text(SOURCE)
    cfg = load_config(str(tmp_path / 'python.py'), needed=())
    assert kind_name(cfg.train_cfg) == 'IterBasedTrainLoop'
    assert kind_name(cfg.dataset.labelled.pipeline[1]) == 'LoadAnnotations'
    cfg.dump(tmp_path / 'dumped.py')
    dumped = Config.fromfile(tmp_path / 'dumped.py')
    assert '.' in dumped.dataset.type  # a path
    assert flatten(dumped.dataset.to_dict()) == flatten(cfg.dataset.to_dict())
    assert flatten(cfg.dataset.to_dict())['labelled.type'] == 'BaseSegDataset'


@pytest.mark.parametrize(
    ('kind', 'name'),
    [('ValLoop', 'ValLoop'), ('mmseg.ValLoop', 'ValLoop'), (Registry, 'Registry'), (None, '')],
)
def test_kinds(kind, name):
    assert kind_name(dict(type=kind)) == name
