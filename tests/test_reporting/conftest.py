"""Fixtures with the made-up run of the report's tests."""

from pathlib import Path

import made_up_runs
import pytest


@pytest.fixture(scope='session')
def made_up(tmp_path_factory) -> Path:
    """Finished run with two rounds and their snapshots, shared by tests that only read it."""
    return made_up_runs.make_run(tmp_path_factory.mktemp('runs') / 'made_up')


@pytest.fixture
def own_made_up(tmp_path) -> Path:
    """The same run for a test that changes it."""
    return made_up_runs.make_run(tmp_path / 'made_up')
