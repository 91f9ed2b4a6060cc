"""Requests and a browser for tests of the page."""

import pytest
from page_requests import large_request

from mmseg_tsf.active_learning.exchange.request import RequestFolder


@pytest.fixture(scope='session')
def large(tmp_path_factory) -> RequestFolder:
    """200 images, one with 3000 regions; no test may change it."""
    return large_request(tmp_path_factory.mktemp('large'))
