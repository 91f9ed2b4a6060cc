"""Makes exchange_runs.py importable, and a run that waits, for tests that only read it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from exchange_runs import make_run

from mmseg_tsf.active_learning.exchange import Request, read_request


@pytest.fixture(scope='session')
def waiting(tmp_path_factory) -> Request:
    """The request of a run that no test may change."""
    work_dir = tmp_path_factory.mktemp('waiting')
    make_run(work_dir)
    return read_request(work_dir)
