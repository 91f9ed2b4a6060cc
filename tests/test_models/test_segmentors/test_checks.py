"""Options of methods that cannot be."""

import pytest
import torch
from helpers import build_model, tiny_segmentor
from mmengine.runner.checkpoint import load_state_dict
from mmseg.registry import MODELS

from mmseg_tsf.models.segmentors import checks
from mmseg_tsf.models.segmentors.fitting import check_trained, load_trained
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


class TestWeights:
    """A checkpoint that fits nothing is never announced as loaded."""

    @pytest.mark.parametrize('method', ['mt', 'cps', 'supervised'])
    def test_none_of_a_plain_checkpoint_fits(self, method):
        model = build_model(method)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        name, plain = model.learners[-1], dict(MODELS.build(tiny_segmentor()).state_dict())
        wide = {'backbone.stem.conv.weight': torch.zeros(9, 3, 3, 3)}
        for given in ({f'net_{k}': v for k, v in plain.items()}, {'epoch': torch.ones(())}, wide):
            with pytest.raises(
                UserError, match=f'nothing in the ({model.network_names[0]}|{name})'
            ):
                load_state_dict(model, given)
            assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
        load_state_dict(model, dict(list(plain.items())[:1]))  # a part, such as a backbone's
        key, value = next(iter(plain.items()))
        assert torch.equal(model.state_dict()[f'{name}.{key}'], value)

    def test_none_of_one_network_of_a_checkpoint_fits(self):
        state = build_model('mt').state_dict()
        state = {k: v[..., None] if k.startswith('student') else v for k, v in state.items()}
        with pytest.raises(UserError, match='nothing in the student: none of its'):
            load_state_dict(build_model('mt'), state)

    def test_what_predicts_is_loaded_whole(self, tmp_path):
        plain = MODELS.build(tiny_segmentor())
        state = {f'module.{key}': value + 1 for key, value in plain.state_dict().items()}
        torch.save(dict(state_dict=state), tmp_path / 'whole.pth')
        load_trained(plain, str(tmp_path / 'whole.pth'))
        assert torch.equal(
            plain.state_dict()['backbone.stem.conv.weight'], next(iter(state.values()))
        )
        state.pop('module.decode_head.conv_seg.bias')
        with pytest.raises(UserError, match='lacks 1 tensors of the EncoderDecoder'):
            check_trained(plain, dict(state_dict=state))
        model = build_model('mt')
        own = model.state_dict()
        student = next(key for key in own if key.startswith('student.'))
        check_trained(model, {key: value for key, value in own.items() if key != student})
        with pytest.raises(UserError, match='lacks 1 tensors of the student'):
            check_trained(
                model, {k: v for k, v in own.items() if k != student}, model.network_names
            )

    @pytest.mark.parametrize('whole', [True, False])
    def test_what_is_announced_is_what_is_loaded(self, whole, monkeypatch):
        model, lines = build_model('cps'), []
        monkeypatch.setattr(checks, 'print_log', lambda text, *_: lines.append(text))
        state = dict(MODELS.build(tiny_segmentor()).state_dict())
        if not whole:
            state = {key: value for key, value in state.items() if key.startswith('backbone')}
        load_state_dict(model, state)
        alike = [line for line in lines if 'initialises all networks alike' in line]
        lacks = [line for line in lines if 'lacks 7 tensors of the' in line]
        assert (len(alike), len(lacks)) == ((1, 0) if whole else (0, 2))
