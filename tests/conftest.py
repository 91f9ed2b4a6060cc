"""Fixtures shared by all tests; plain helper functions are in support/."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / 'support'))

import cpu_torchvision  # noqa: F401  (before anything imports timm)
import tiny_runs
from mmengine.registry import DefaultScope, init_default_scope

torch.set_num_threads(1)


@pytest.fixture(scope='session', autouse=True)
def default_scope():
    """Configs name MMSeg's components without a prefix, as in its own tools."""
    if DefaultScope.get_current_instance() is None:
        init_default_scope('mmseg')


@pytest.fixture(scope='session')
def data_root(tmp_path_factory) -> Path:
    """A tiny data set that no test may change."""
    return tiny_runs.make_dataset(tmp_path_factory.mktemp('data'))


@pytest.fixture
def own_data_root(tmp_path) -> Path:
    """A tiny data set that a test may spoil."""
    return tiny_runs.make_dataset(tmp_path / 'data')
