"""Weights that are not there are named before anything is built."""

import pytest
from mmengine.config import Config

from mmseg_tsf.engine.preflight.weights_check import check_weights
from mmseg_tsf.utils.errors import UserError


def make(tmp_path, **more) -> Config:
    (tmp_path / 'there.pth').touch()
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
