"""The template: modes, prediction, refusals and checkpoints."""

import pytest
import torch
from helpers import METHODS, SIZE, build_model, make_sample, model_cfg, tiny_segmentor
from mmengine.config import ConfigDict
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmseg.registry import MODELS
from torch import nn

from mmseg_tsf.utils.errors import UserError

NAMES = {
    'supervised': ('student',),
    'mt': ('teacher', 'student'),
    'cps': ('student', 'friend'),
    'ael': ('teacher', 'student'),
    'tsf': ('teacher', 'student', 'friend'),
}


@pytest.mark.parametrize('method', NAMES)
def test_networks_and_the_one_that_predicts_by_default(method):
    model = build_model(method)
    assert model.network_names == NAMES[method]
    assert model.predict_on == NAMES[method][0]


@pytest.mark.parametrize('method', ['mt', 'ael', 'tsf'])
def test_teacher_stays_in_eval_mode_and_without_gradient(method):
    model = build_model(method, average_mode='eval')
    for mode in (True, False, True):
        model.train(mode)
        assert not any(module.training for module in model.teacher.modules())
        assert all(module.training is mode for module in model.student.modules())
    assert not any(p.requires_grad for p in model.teacher.parameters())
    assert all(p.requires_grad for p in model.student.parameters())


def test_average_mode_train_uses_batch_statistics():
    model = build_model('tsf', average_mode='train')
    assert all(module.training for module in model.teacher.modules())
    model.eval()
    assert not any(module.training for module in model.teacher.modules())
    with pytest.raises(UserError, match="average_mode is 'auto', 'eval' or 'train', not 'frozen'"):
        build_model('tsf', average_mode='frozen')


def test_average_mode_follows_batch_norm_by_default():
    assert build_model('mt').average_mode == 'train'
    assert build_model('mt', segmentor=tiny_segmentor(norm=False)).average_mode == 'eval'


@pytest.mark.parametrize('name', ['teacher', 'student', 'friend'])
def test_predict_on_equals_the_bare_network(name):
    model = build_model('tsf', test_cfg=dict(predict_on=name)).eval()
    image = torch.randint(0, 256, (3, SIZE, SIZE)).byte()
    blank = torch.zeros(SIZE, SIZE)
    data = dict(inputs=[image], data_samples=[make_sample(blank)])
    with torch.no_grad():
        (result,) = model.test_step(data)
        bare = MODELS.build(ConfigDict(tiny_segmentor())).eval()
        bare.load_state_dict(getattr(model, name).state_dict())
        data = dict(inputs=[image], data_samples=[make_sample(blank)])
        (expected,) = bare.test_step(data)
    assert torch.equal(result.seg_logits.data, expected.seg_logits.data)
    assert torch.equal(result.pred_sem_seg.data, expected.pred_sem_seg.data)
    others = [n for n in model.network_names if n != name]
    for other in others:
        model.predict_on = other
        data = dict(inputs=[image], data_samples=[make_sample(blank)])
        assert not torch.equal(model.test_step(data)[0].seg_logits.data, expected.seg_logits.data)


def test_wrong_network_name_is_refused_with_those_that_exist():
    sentence = "predict_on='tutor': TeacherStudentFriend has the networks teacher, student, friend"
    with pytest.raises(UserError, match=sentence):
        build_model('tsf', test_cfg=dict(predict_on='tutor'))
    model = build_model('supervised')
    with pytest.raises(UserError, match="'teacher': SupervisedOnly has the networks student"):
        model.predict_on = 'teacher'


class MaskHead(nn.Module):
    """Stands for MaskFormer's and Mask2Former's: no ``BaseDecodeHead``."""


MODELS.register_module(name='TinyMaskHead', module=MaskHead, force=True)


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        (dict(decode_head=dict(type='TinyMaskHead')), 'TinyMaskHead cannot be wrapped'),
        (dict(decode_head=dict(type='Mask2FormerHead')), 'Mask2FormerHead cannot be wrapped'),
        (dict(type='CascadeEncoderDecoder', num_stages=2), 'CascadeEncoderDecoder cannot be'),
        (dict(type='NoSuchSegmentor'), "'NoSuchSegmentor' is not registered"),
        (dict(type='ResNet'), 'ResNet cannot be wrapped'),
    ],
)
def test_segmentors_without_one_logit_map_are_refused(change, sentence):
    with pytest.raises(UserError, match=sentence):
        MODELS.build(model_cfg('tsf', {**tiny_segmentor(), **change}))


def load(model, state_dict) -> None:
    """As ``load_from`` and ``resume`` do it."""
    _load_checkpoint_to_model(model, dict(state_dict=dict(state_dict)), strict=False)


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('strict_torch', [False, True])
def test_a_plain_checkpoint_goes_into_every_network(method, strict_torch):
    torch.manual_seed(7)
    plain = MODELS.build(tiny_segmentor())
    plain.init_weights()
    model = build_model(method)
    if strict_torch:
        keys = model.load_state_dict(plain.state_dict(), strict=False)
        assert keys.unexpected_keys == []
    else:
        load(model, plain.state_dict())
    for name in model.network_names:
        own = getattr(model, name).state_dict()
        for key, value in plain.state_dict().items():
            assert torch.equal(own[key], value), (name, key)
    assert model.loaded_averages == set()


def test_own_checkpoint_comes_back_bit_for_bit():
    saved = build_model('tsf').state_dict()
    torch.manual_seed(1)
    model = MODELS.build(model_cfg('tsf'))
    load(model, saved)
    own = model.state_dict()
    assert own.keys() == saved.keys()
    assert all(torch.equal(own[k], v) for k, v in saved.items())
    assert model.loaded_averages == {'teacher'}


@pytest.mark.parametrize(
    ('saved', 'loading'),
    [
        ('tsf', 'ael'),
        ('tsf', 'cps'),
        ('cps', 'tsf'),
        ('ael', 'tsf'),
        ('supervised', 'mt'),
        ('mt', 'supervised'),
        ('mt', 'ael'),  # the same networks, but no banks
        ('ael', 'mt'),
    ],
)
def test_checkpoint_of_another_method_is_refused(saved, loading):
    state = build_model(saved).state_dict()
    with pytest.raises(UserError, match='another method'):
        load(build_model(loading), state)


@pytest.mark.parametrize('saved', ['plain', 'tsf'])
def test_checkpoint_of_another_class_count_is_refused(saved):
    cfg = tiny_segmentor(num_classes=9)
    state = (MODELS.build(cfg) if saved == 'plain' else build_model('tsf', cfg)).state_dict()
    with pytest.raises(UserError, match='the checkpoint has 9 classes in .*, the model 4'):
        load(build_model('tsf'), state)


def test_checkpoint_of_another_pool_is_refused():
    state = build_model('tsf', pool=10).state_dict()
    with pytest.raises(UserError, match='trained with 10 unlabelled images'):
        load(build_model('tsf', pool=12), state)


def test_a_head_that_returns_several_maps_is_refused_with_its_name():
    model = build_model('supervised')
    model.student.decode_head.forward = lambda features: (features[0], features[1])
    with pytest.raises(UserError, match='FCNHead returns a tuple'):
        model.run('student', torch.zeros(1, 3, SIZE, SIZE))


@pytest.mark.parametrize(
    ('classes', 'problem'),
    [((0, 1, 2, 3), 'leaves no class'), ((1, 9), r'has the unknown ids \[9\]')],
)
def test_classes_that_are_never_pasted_must_exist_and_leave_one(classes, problem):
    with pytest.raises(UserError, match=rf'paste_exclude=.* {problem}: there are 4 classes'):
        build_model('tsf', paste_exclude=classes)
