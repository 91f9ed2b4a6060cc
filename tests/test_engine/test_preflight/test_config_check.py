"""Mistakes in a config that are found before anything is built."""

from pathlib import Path

import mmseg
import pytest
import torch
from helpers import REFINED, model_cfg
from mmengine.config import Config
from mmengine.hooks import Hook
from mmseg.registry import HOOKS, MODELS
from tiny_runs import active_learning_cfg

from mmseg_tsf.engine.preflight.config_check import check_config, check_weights, load_config
from mmseg_tsf.utils.errors import UserError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def cfg(data_root, tmp_path) -> Config:
    """A config with a refinement and rounds, as files give it."""
    model = model_cfg('mt', **REFINED)
    cfg = active_learning_cfg('mt', data_root, tmp_path, model=model)
    cfg.default_scope = 'mmseg'
    return cfg


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'model.type': 'MeanTeachr'}, "model.type='MeanTeachr' is .*did you mean MeanTeacher?"),
        ({'model.segmentor.decode_head.type': 'FCNHed'}, 'decode_head.type=.* did you mean FCNHea'),
        ({'model.type': 'Qqqq'}, "'Qqqq' is no model of .*: correct it, or import its module"),
        (
            {'model.manual_wight': 1},
            'model.manual_wight: no such option of MeanTeacher, did you mean',
        ),
        (
            {'model.refiner.min_pixel': 1},
            'model.refiner.min_pixel: no such option of PseudoLabelAut',
        ),
        (
            {'train_cfg.qqqq': 1},
            'train_cfg.qqqq: no such option of ActiveLearningLoop; its options',
        ),
        (
            {'train_cfg.selector.type': 'PixlSelector'},
            'selector.type=.* did you mean PixelSelector',
        ),
        ({'custom_hooks.0.type': 'MeanTeacher'}, "hooks.0.type='MeanTeacher' is no hook of"),
        (
            {'optim_wrapper.optimizer.lrr': 1},
            'optimizer.lrr: no such option of AdamW, did you mean lr',
        ),
        ({'train_dataloader.num_worker': 1}, 'no such option of a dataloader, did you mean num_wo'),
        (
            {'train_dataloader.dataset.labelled.pipeline.0.type': 'LoadImage'},
            'train_dataloader.dataset.labelled.pipeline.0.type=',
        ),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_is_close(cfg, changes, text):
    check_config(cfg)
    cfg.merge_from_dict(changes)
    with pytest.raises(UserError, match=text):
        check_config(cfg)


class Passing(Hook):
    def __init__(self, **kwargs) -> None:
        pass


def test_what_only_building_can_tell_is_accepted(cfg):
    HOOKS.register_module(module=Passing, force=True)
    cfg.custom_hooks += [dict(type='Passing', a=1), dict(type=Passing, b=dict(type='NoSuchThing'))]
    cfg.model.segmentor.decode_head.update(norm_cfg=dict(type='BN', requires_grad=True))
    cfg.model.segmentor.backbone = dict(type='mmpretrain.ConvNeXt', arch='tiny')
    try:
        check_config(cfg)
    finally:
        HOOKS.module_dict.pop('Passing')
    check_config(Config(dict(default_scope='other', model=dict(type='NoSuchModel'))))


@pytest.mark.parametrize('folder', [ROOT / 'configs', Path(mmseg.__file__).parent / '.mim/configs'])
def test_configs_that_work_are_accepted(folder):
    paths = sorted(p for p in folder.glob('*/*.py') if not p.parent.name.startswith('_'))
    for path in paths[:: max(1, len(paths) // 25)]:
        load_config(str(path))


def test_overrides_of_the_command_line_are_checked(tmp_path):
    (tmp_path / 'c.py').write_text("default_scope = 'mmseg'\nmodel = dict(type='EncoderDecoder')\n")
    with pytest.raises(UserError, match='model.neckk: no such option of EncoderDecoder'):
        load_config(str(tmp_path / 'c.py'), {'model.neckk': 1})
    assert MODELS.get('EncoderDecoder') is not None


def make(tmp_path, **more) -> Config:
    torch.save({}, tmp_path / 'there.pth')
    there, address = str(tmp_path / 'there.pth'), 'torchvision://resnet18'
    backbone = dict(init_cfg=[dict(type='Pretrained', checkpoint=there), dict(type='Normal')])
    heads = [dict(init_cfg=dict(type='Pretrained', checkpoint=address))]
    model = dict(segmentor=dict(pretrained=None, backbone=backbone, auxiliary_head=heads))
    return Config(dict(model=model, load_from=there, **more))


def test_what_is_there_and_what_has_an_address_passes(tmp_path):
    cfg = make(tmp_path)
    check_weights(cfg)
    cfg.load_from = None
    cfg.model.segmentor.pretrained = 'open-mmlab://resnet50_v1c'
    check_weights(cfg)


@pytest.mark.parametrize(
    'key',
    [
        'load_from',
        'model.segmentor.pretrained',
        'model.segmentor.backbone.init_cfg.0.checkpoint',
        'model.segmentor.auxiliary_head.0.init_cfg.checkpoint',
    ],
)
def test_a_missing_file_is_named_with_its_key(tmp_path, key):
    cfg = make(tmp_path)
    cfg.merge_from_dict({key: 'nowhere.pth'})
    with pytest.raises(UserError, match=f"^{key}='nowhere.pth' does not exist: put"):
        check_weights(cfg)
