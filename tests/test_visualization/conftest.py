"""Makes made_up_runs.py importable, and gives a run that is made up once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import made_up_runs


@pytest.fixture(scope='session')
def made_up(tmp_path_factory) -> Path:
    """A finished run with two rounds and snapshots of them, that no test may change."""
    return made_up_runs.make_run(tmp_path_factory.mktemp('runs') / 'made_up')


@pytest.fixture
def own_made_up(tmp_path) -> Path:
    """The same for a test that changes it."""
    return made_up_runs.make_run(tmp_path / 'made_up')
