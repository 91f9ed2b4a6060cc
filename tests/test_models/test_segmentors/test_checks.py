"""Options of methods that cannot be."""

import pytest
from helpers import build_model

from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.options import check_ramp, check_share, check_weight


@pytest.mark.parametrize('shares', [None, 0.5, (0.2,), (0, 0.1, 0.2), (0.5, 0.2), (-0.1, 0.2)])
def test_a_ramp_that_is_none_names_the_option(shares):
    with pytest.raises(UserError, match=r'cps_ramp=.* must be \(begin, end\)'):
        check_ramp('cps_ramp', shares)


def test_a_ramp():
    assert check_ramp('ramp', [0.3, 0.6]) == (0.3, 0.6)
    assert check_ramp('ramp', (0, 0)) == (0, 0)


def test_a_share():
    assert check_share('gamma', 0.5) == 0.5
    with pytest.raises(UserError, match=r'gamma=1 must lie in \[0, 1\)'):
        check_share('gamma', 1)


def test_a_weight():
    assert check_weight('weight', 0) == 0
    for wrong in (-0.1, float('nan'), float('inf'), '1', None):
        with pytest.raises(UserError, match='cps_weight=.* must be a finite number of at least 0'):
            check_weight('cps_weight', wrong)


@pytest.mark.parametrize(
    ('method', 'options', 'sentence'),
    [
        ('tsf', dict(momentum=1.5), r'momentum=1.5 must lie in \[0, 1\)'),
        ('ael', dict(threshold=1.5), 'threshold=.* must lie in'),
        ('ael', dict(gamma=-2), 'gamma=-2 must be a finite number of at least 0'),
        ('ael', dict(min_component=-0.1), 'min_component=.* must lie in'),
        ('ael', dict(min_presence='0.1'), "min_presence='0.1' must lie in"),
        ('tsf', dict(weight=None), 'weight=.* must be a finite number'),
        ('tsf', dict(cps_gamma=-1), 'cps_gamma=.* must be a finite number'),
        ('mt', dict(weight='100'), 'weight=.* must be a finite number'),
        ('mt_cutmix', dict(threshold=2), 'threshold=.* must lie in'),
        ('mt_cutmix', dict(cutmix=dict(area=(0, 0.5))), r'cutmix.area=\(0, 0.5\) must be'),
        ('cps_cutmix', dict(cutmix=dict(area=(0.5, 1.5))), 'cutmix.area=.* must be'),
        ('cps_cutmix', dict(cutmix=dict(num_boxes=0)), 'cutmix.num_boxes=0 must be at least 1'),
        ('cps', dict(gamma=-1), 'gamma=.* must be a finite number'),
    ],
)
def test_an_option_out_of_its_range_is_named(method, options, sentence):
    with pytest.raises(UserError, match=sentence):
        build_model(method, **options)
