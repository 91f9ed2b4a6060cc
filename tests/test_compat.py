"""What both OpenMMLab stacks are made to do alike."""

import copy
from unittest import mock

import pytest
import torch
from helpers import REFINED, TinyBackbone, model_cfg, tiny_segmentor
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmseg.models.decode_heads import decode_head
from mmseg.models.losses import CrossEntropyLoss
from mmseg.models.losses.accuracy import accuracy as stock_accuracy
from mmseg.registry import MODELS
from torch import nn
from torch.nn import functional as F

from mmseg_tsf.compat import start_cpu_process_group

WEIGHTS = [0.5, 1.0, 2.0, 4.0]


@pytest.fixture
def batch():
    torch.manual_seed(0)
    label = torch.randint(4, (2, 8, 8))
    label[:, :3] = 255
    return torch.randn(2, 4, 8, 8), label


@pytest.mark.parametrize('avg_non_ignore', [False, True])
def test_class_weights_where_labels_are_void(batch, avg_non_ignore):
    loss = CrossEntropyLoss(class_weight=WEIGHTS, avg_non_ignore=avg_non_ignore)
    found = loss(*batch, ignore_index=255)
    expected = F.cross_entropy(*batch, weight=torch.tensor(WEIGHTS), ignore_index=255)
    torch.testing.assert_close(found, expected)


def test_a_loss_of_nothing_but_void_is_zero():
    label = torch.full((1, 4, 4), 255)
    found = CrossEntropyLoss(class_weight=WEIGHTS)(torch.randn(1, 4, 4, 4), label, ignore_index=255)
    assert found == 0


def test_accuracy_is_the_stock_one(batch):
    found = decode_head.accuracy(*batch, ignore_index=255)
    torch.testing.assert_close(found, stock_accuracy(*batch, ignore_index=255))


@MODELS.register_module(force=True)
class TinyConvNeXt(TinyBackbone):
    """Names of parameters as in ConvNeXt, after which the rates go."""

    def __init__(self) -> None:
        super().__init__()
        self.downsample_layers = nn.ModuleList(nn.Conv2d(2, 2, 1) for _ in range(4))
        blocks = (3, 3, 9, 3)
        self.stages = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(2, 2, 1) for _ in range(number)) for number in blocks
        )


CONVNEXT = dict(type='TinyConvNeXt')
BEIT = dict(
    type='BEiT', img_size=32, patch_size=16, embed_dims=12, num_layers=3, num_heads=2, out_indices=2
)
NEW, OLD = 'LearningRateDecayOptimizerConstructor', 'LayerDecayOptimizerConstructor'


def rates(model, constructor, **paramwise) -> dict[str, tuple[float, float]]:
    """Rate and weight decay of every parameter that an optimiser has, by name."""
    cfg = dict(
        constructor=constructor,
        optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.05),
        paramwise_cfg=paramwise,
    )
    optimizer = build_optim_wrapper(model, cfg).optimizer
    groups = optimizer.param_groups
    found = {id(p): (g['lr'], g['weight_decay']) for g in groups for p in g['params']}
    names = {id(p): n for g in groups for n, p in zip(g['param_names'], g['params'], strict=True)}
    assert names == {id(p): n for n, p in model.named_parameters() if id(p) in found}
    assert sum(len(group['params']) for group in groups) == len(found)
    return {name: found.pop(id(p)) for name, p in model.named_parameters() if id(p) in found}


@pytest.mark.parametrize(
    ('backbone', 'constructor', 'options'),
    [
        (CONVNEXT, NEW, dict(decay_rate=0.9, decay_type='layer_wise', num_layers=6)),
        (CONVNEXT, NEW, dict(decay_rate=0.5, decay_type='stage_wise', num_layers=6)),
        (BEIT, NEW, dict(decay_rate=0.8, decay_type='layer_wise', num_layers=3)),
        (BEIT, OLD, dict(layer_decay_rate=0.8, num_layers=3)),
    ],
)
@pytest.mark.parametrize('method', ['mt', 'cps', 'supervised'])
def test_rates_by_layer_reach_every_network_that_learns(backbone, constructor, options, method):
    segmentor = tiny_segmentor()
    segmentor['backbone'] = copy.deepcopy(backbone)
    more = {} if method == 'supervised' else REFINED
    if backbone is BEIT:
        segmentor['decode_head'].update(in_index=0)
        more = {}
    plain = rates(MODELS.build(copy.deepcopy(segmentor)), constructor, **options)
    assert len(set(plain.values())) > 5
    model = MODELS.build(model_cfg(method, segmentor, **more))
    found = rates(model, constructor, **options)
    for name in model.learners:
        own = {k.removeprefix(f'{name}.'): v for k, v in found.items() if k.startswith(f'{name}.')}
        assert {k: own[k] for k in plain} == plain
    others = {k: v for k, v in found.items() if k.split('.')[0] not in model.learners}
    assert bool(others) == bool(more)
    trained = dict(model.named_parameters())
    assert all(v == (1.0, 0.05 if trained[k].ndim > 1 else 0.0) for k, v in others.items())
    assert {k for k, p in trained.items() if p.requires_grad} == set(found)


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ({}, dict(broadcast_buffers=False, find_unused_parameters=False)),
        (
            dict(find_unused_parameters=True),
            dict(broadcast_buffers=False, find_unused_parameters=True),
        ),
        (
            dict(model_wrapper_cfg=dict(find_unused_parameters=True, static_graph=False)),
            dict(find_unused_parameters=True, static_graph=False),
        ),
        (
            dict(model_wrapper_cfg=dict(type='Own'), find_unused_parameters=True),
            dict(type='Own', find_unused_parameters=True),
        ),
    ],
)
def test_the_users_wrapper_is_kept(given, expected):
    cfg = Config(dict(launcher='pytorch', model=dict(norm_cfg=dict(type='SyncBN')), **given))
    with mock.patch('torch.distributed.is_initialized', return_value=True):
        start_cpu_process_group(cfg)
    expected = dict(dict(type='MMDistributedDataParallel'), **expected, device_ids=None)
    assert cfg.model_wrapper_cfg.to_dict() == expected
    assert cfg.model.norm_cfg.type == 'BN'
