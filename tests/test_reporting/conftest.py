"""A run that is made up once."""

from pathlib import Path

import made_up_runs
import pytest


@pytest.fixture(scope='session')
def made_up(tmp_path_factory) -> Path:
    """A finished run with two rounds and snapshots of them, that no test may change."""
    return made_up_runs.make_run(tmp_path_factory.mktemp('runs') / 'made_up')


@pytest.fixture
def own_made_up(tmp_path) -> Path:
    """The same for a test that changes it."""
    return made_up_runs.make_run(tmp_path / 'made_up')
