"""A run that waits for people, for tests that only read it."""

import pytest
from exchange_runs import make_run

from mmseg_tsf.active_learning.exchange.request import RequestFolder, read_request


@pytest.fixture(scope='session')
def waiting(tmp_path_factory) -> RequestFolder:
    """The request of a run that no test may change."""
    work_dir = tmp_path_factory.mktemp('waiting')
    make_run(work_dir)
    return read_request(work_dir)
