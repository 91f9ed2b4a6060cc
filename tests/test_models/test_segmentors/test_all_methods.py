"""What every method must do, whatever network it wraps: one set of checks for all."""

import pytest
import torch
from helpers import METHODS, NUM_CLASSES, batch_for, build_model, freeze_norm, tiny_segmentor
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS

BN = dict(type='BN')


def head(kind: str, **more) -> dict:
    """A small decode head."""
    return dict(
        type=kind,
        channels=8,
        dropout_ratio=0.0,
        num_classes=NUM_CLASSES,
        norm_cfg=BN,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss'),
        **more,
    )


def encoder_decoder(backbone: dict, decode_head: dict, auxiliary_head=None) -> dict:
    """A whole segmentor."""
    cfg = dict(type='EncoderDecoder', backbone=backbone, decode_head=decode_head)
    if auxiliary_head is not None:
        cfg['auxiliary_head'] = auxiliary_head
    return dict(**cfg, train_cfg=dict(), test_cfg=dict(mode='whole'))


def aux_head(index: int, channels: int) -> dict:
    """An auxiliary FCN head."""
    return head('FCNHead', in_channels=channels, in_index=index, num_convs=1, concat_input=False)


def resnet() -> dict:
    backbone = dict(type='ResNetV1c', depth=18, base_channels=8, norm_cfg=BN, norm_eval=False)
    aspp = dict(in_channels=64, in_index=3, dilations=(1, 2), c1_in_channels=8, c1_channels=4)
    decode = head('DepthwiseSeparableASPPHead', **aspp)
    return encoder_decoder(backbone, decode, aux_head(2, 32))


def mobilenet() -> dict:
    backbone = dict(type='MobileNetV2', widen_factor=0.25, out_indices=(1, 2, 4, 6), norm_cfg=BN)
    aspp = dict(in_channels=80, in_index=3, dilations=(1, 2), c1_in_channels=8, c1_channels=4)
    decode = head('DepthwiseSeparableASPPHead', **aspp)
    return encoder_decoder(backbone, decode, [aux_head(0, 8), aux_head(2, 24)])


def segformer() -> dict:
    backbone = dict(
        type='MixVisionTransformer',
        embed_dims=4,
        num_layers=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        drop_path_rate=0.0,
    )
    decode = head('SegformerHead', in_channels=[4, 4, 4, 4], in_index=[0, 1, 2, 3])
    return encoder_decoder(backbone, decode)


def swin() -> dict:
    backbone = dict(
        type='SwinTransformer',
        embed_dims=8,
        depths=(1, 1, 1, 1),
        num_heads=(1, 1, 1, 1),
        window_size=2,
        drop_path_rate=0.0,
    )
    widths = [8, 16, 32, 64]
    decode = head('UPerHead', in_channels=widths, in_index=[0, 1, 2, 3], pool_scales=(1, 2))
    return encoder_decoder(backbone, decode, aux_head(2, 32))


def ohem() -> dict:
    return tiny_segmentor(sampler=dict(type='OHEMPixelSampler', thresh=0.7, min_kept=50))


def sigmoid() -> dict:
    loss = dict(type='CrossEntropyLoss', use_sigmoid=True)
    return tiny_segmentor(num_classes=2, out_channels=1, threshold=0.5, loss_decode=loss)


NETWORKS = dict(
    tiny=tiny_segmentor,
    resnet=resnet,
    mobilenet=mobilenet,
    segformer=segformer,
    swin=swin,
    ohem=ohem,
    sigmoid=sigmoid,
)


@pytest.fixture(params=NETWORKS)
def segmentor(request) -> dict:
    """Config of each kind of network."""
    return NETWORKS[request.param]()


@pytest.fixture(params=METHODS)
def method(request) -> str:
    """Name of each method."""
    return request.param


class TestEveryMethodOnEveryNetwork:
    """Supervised loss, gradients and calls of all methods on all networks."""

    @pytest.fixture
    def model(self, method, segmentor):
        model = build_model(method, segmentor)
        freeze_norm(model)
        if method == 'psmt':
            model.noise = 0.0  # which would change the features of the labelled images
        return model

    def test_step(self, model):
        size = 64 if model.student.backbone.__class__.__name__ != 'TinyBackbone' else 32
        inputs, samples = batch_for(model, size=size, num_classes=model.num_classes)
        calls = count_calls(model)
        mixes_labels = 'paste' in model.required_branches
        expected = None if mixes_labels else reference_losses(model, inputs, samples)
        calls.clear()
        losses = model.loss(inputs, samples)
        more = list(model.averages) * len(getattr(model, 'scales', (1.0,)))
        if type(model).__name__ == 'UniMatch':
            more = ['student']  # the strong views wait for the labels of the weak one
        if type(model).__name__ == 'CrossPseudoSupervision' and model.cutmix is not None:
            more = list(model.learners)
        assert sorted(calls) == sorted([*model.learners, *more])
        if mixes_labels:
            model.loss = None
            expected = reference_losses(model, {'labelled': model.pasted}, samples)
        share = 1 - getattr(
            model, 'unlabelled_share', 0.0
        )  # in one mean with the unlabelled images
        expected = {k: share * v if 'loss' in k else v for k, v in expected.items()}
        for name, value in expected.items():
            torch.testing.assert_close(losses[name], value, rtol=1e-4, atol=1e-5, msg=name)
        check_gradients(model, losses)


def count_calls(model) -> list:
    """A list that grows by a network's name at each of its ``extract_feat`` calls."""
    calls = []
    for name in model.network_names:
        network = getattr(model, name)

        def extract(images, name=name, original=network.extract_feat):
            calls.append(name)
            return original(images)

        network.extract_feat = extract
    if hasattr(model, 'paste_classes'):
        original_paste = model.paste_classes

        def paste(*args):
            model.pasted = original_paste(*args)
            return model.pasted

        model.paste_classes = paste
    return calls


def reference_losses(model, inputs, samples) -> dict:
    """MMSeg's own ``EncoderDecoder.loss`` of every learner on the labelled images."""
    expected = {}
    for name in model.learners:
        own = getattr(model, name).loss(inputs['labelled'], samples['labelled'])
        expected.update({f'{name}.{key}': value.detach() for key, value in own.items()})
    return expected


def check_gradients(model, losses) -> None:
    """All losses finite, gradient for every parameter of the learners, none for an average."""
    terms = {name: value for name, value in losses.items() if 'loss' in name}
    assert all(torch.isfinite(value).all() for value in terms.values())
    sum(value.sum() for value in terms.values()).backward()
    for name in model.learners:
        missing = [k for k, p in getattr(model, name).named_parameters() if p.grad is None]
        assert missing == []
    for name in model.averages:
        assert all(p.grad is None for p in getattr(model, name).parameters())


def test_methods_have_the_losses_that_they_are_made_of(method):
    model = build_model(method)
    model.progress.fill_(0.5)
    size = 96 if method == 'gct' else 32  # on smaller ones the flaw map is flat
    losses = model.loss(*batch_for(model, size=size))
    extra = {name for name in losses if name.startswith('loss_')}
    kind = method.split('_')[0]
    wanted = {
        'supervised': set(),
        'deal': set(),  # that of its branch belongs to the student
        'mt': {'loss_consistency'},
        'cps': {'loss_cps'},
        'ael': {'loss_ts'},
        'tsf': {'loss_ts', 'loss_cps'},
        'cct': {'loss_consistency'},
        'gct': {'loss_consistency', 'loss_correction', 'loss_detector'},
        'psmt': {'loss_consistency'},
        'u2pl': {'loss_unlabelled', 'loss_contrast'},
        'self': {'loss_unlabelled'},
        'unimatch': {'loss_strong', 'loss_strong_2'},
    }[kind]
    if method == 'unimatch':
        wanted = {*wanted, 'loss_features'}
    assert extra == wanted
    assert all(float(losses[name].detach()) > 0 for name in extra)


@pytest.mark.parametrize('paramwise', [False, True])
def test_the_optimiser_never_changes_an_average(method, paramwise):
    model = build_model(method, average_mode='eval')
    if not model.averages:
        pytest.skip('has no average')
    cfg = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, weight_decay=0.1))
    if paramwise:
        cfg['paramwise_cfg'] = dict(
            custom_keys={'decode_head': dict(lr_mult=10.0), 'teacher': dict(lr_mult=3.0)}
        )
    wrapper = build_optim_wrapper(model, cfg)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for _ in range(2):
        losses = model.loss(*batch_for(model))
        wrapper.update_params(sum(v.sum() for k, v in losses.items() if 'loss' in k))
    after = model.state_dict()
    for name in model.averages:
        still = [k for k in after if k.startswith(f'{name}.') and 'num_batches' not in k]
        assert still and all(torch.equal(before[k], after[k]) for k in still)
    for name in model.learners:
        changed = [k for k, _ in getattr(model, name).named_parameters()]
        assert all(not torch.equal(before[f'{name}.{k}'], after[f'{name}.{k}']) for k in changed)
    if paramwise:
        rates = {id(p): g['lr'] for g in wrapper.optimizer.param_groups for p in g['params']}
        assert rates[id(model.student.decode_head.conv_seg.weight)] == pytest.approx(1.0)
        assert rates[id(model.student.backbone.stem.conv.weight)] == pytest.approx(0.1)


def test_same_seed_same_losses_and_another_seed_others(method):
    values = []
    for seed in (5, 5, 6):
        model = build_model(method)
        inputs, samples = batch_for(model)
        torch.manual_seed(seed)
        losses = model.loss(inputs, samples)
        values.append({name: float(value.detach().sum()) for name, value in losses.items()})
    assert values[0] == values[1]
    still = ('supervised', 'deal', 'mt', 'cps', 'gct', 'self_training')
    if method not in still:  # the others draw boxes or pixels
        assert values[0] != values[2]


def test_networks_of_one_model_start_differently(method):
    torch.manual_seed(0)
    cfg = dict(type=METHODS[method][0], segmentor=tiny_segmentor(), **METHODS[method][1])
    model = MODELS.build(cfg)
    model.init_weights()
    weights = [getattr(model, name).decode_head.conv_seg.weight for name in model.learners]
    assert all(not torch.equal(weights[0], other) for other in weights[1:])
