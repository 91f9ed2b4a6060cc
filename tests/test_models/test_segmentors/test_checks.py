"""Options of methods that can not be."""

import pytest

from mmseg_tsf.models.segmentors.checks import check_ramp, check_share


@pytest.mark.parametrize('shares', [None, 0.5, (0.2,), (0, 0.1, 0.2), (0.5, 0.2), (-0.1, 0.2)])
def test_a_ramp_that_is_none_names_the_option(shares):
    with pytest.raises(ValueError, match=r'cps_ramp=.* must be \(begin, end\)'):
        check_ramp('cps_ramp', shares)


def test_a_ramp():
    assert check_ramp('ramp', [0.3, 0.6]) == (0.3, 0.6)
    assert check_ramp('ramp', (0, 0)) == (0, 0)


def test_a_share():
    assert check_share('gamma', 0.5) == 0.5
    with pytest.raises(ValueError, match='gamma must lie in'):
        check_share('gamma', 1)
