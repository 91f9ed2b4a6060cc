"""Tiny networks and batches for the tests; data sets and runs are in tiny_runs.py."""

from __future__ import annotations

import copy

import torch
from mmcv.cnn import ConvModule
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmseg_tsf  # noqa: F401

NUM_CLASSES = 4
SIZE = 32
# every method and every path through it: (type, options)
METHODS = {
    'supervised': ('SupervisedOnly', {}),
    'mt': ('MeanTeacher', dict(weight=10.0)),
    'mt_cutmix': (
        'MeanTeacher',
        dict(weight=1.0, cutmix=dict(num_boxes=1, area=(0.5, 0.5)), threshold=0.1),
    ),
    'cps': ('CrossPseudoSupervision', dict(weight=1.5)),
    'cps_cutmix': (
        'CrossPseudoSupervision',
        dict(weight=1.5, cutmix=dict(num_boxes=3, area=(0.25, 0.5))),
    ),
    'ael': ('AdaptiveEqualizationLearning', {}),
    'ael_random': (
        'AdaptiveEqualizationLearning',
        dict(adaptive_cutmix=False, adaptive_copy_paste=False, consistency_on_labelled=True),
    ),
    'tsf': ('TeacherStudentFriend', {}),
    'deal': ('DifficultyAwareLearning', dict(size=(6, 7), attention=True)),
    'cct': ('CrossConsistencyTraining', dict(background=(0,))),
    'gct': ('GuidedCollaborativeTraining', dict(detector=dict(channels=4))),
    'psmt': ('PerturbedStrictMeanTeachers', dict(turn=2, warm_up=0, threshold=0.1)),
    'u2pl': (
        'UnreliablePseudoLabels',
        dict(channels=8, queue_size=600, keys=300, queries=16, negatives=4, low_rank=2),
    ),
    'self_training': ('SelfTraining', dict(scales=(1.0, 0.5), threshold=0.1)),
    'unimatch': ('UniMatch', dict(threshold=0.1)),
    'unimatch_v2': ('UniMatchV2', dict(threshold=0.1)),
}
SUPERVISED = ('supervised', 'deal')  # methods that use no unlabelled image
TAPS = ('decode_head.convs', 'backbone.body')  # of tiny_segmentor
REFINED = dict(
    error_head=dict(type='ErrorMaskDecoder', channels=4),
    refiner=dict(type='PseudoLabelAutoRefinement', weights='learnt', min_pixels=4, hidden=4),
    refinement=dict(taps=TAPS),
)  # options of any method with a teacher


@MODELS.register_module(force=True)
class TinyBackbone(BaseModule):
    """Two convolutions; ``kernel=1, stride=1`` makes every pixel independent of the others."""

    def __init__(self, kernel: int = 3, stride: int = 2, norm: bool = True) -> None:
        super().__init__()
        common = dict(
            kernel_size=kernel, padding=kernel // 2, norm_cfg=dict(type='BN') if norm else None
        )
        self.stem = ConvModule(3, 8, stride=stride, **common)
        self.body = ConvModule(8, 12, stride=1, **common)

    def forward(self, x):
        low = self.stem(x)
        return low, self.body(low)


def tiny_segmentor(pointwise: bool = False, norm: bool = True, **head) -> dict:
    """Config of an ``EncoderDecoder`` that trains in milliseconds."""
    kernel, stride = (1, 1) if pointwise else (3, 2)
    decode_head = dict(
        type='FCNHead',
        in_channels=12,
        in_index=1,
        channels=8,
        num_convs=1,
        kernel_size=kernel,
        concat_input=False,
        dropout_ratio=0.0,
        num_classes=NUM_CLASSES,
        norm_cfg=dict(type='BN') if norm else None,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss'),
    )
    return dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[127.5] * 3,
            std=[64.0] * 3,
            pad_val=0,
            seg_pad_val=255,
            size=(SIZE, SIZE),
        ),
        backbone=dict(type='TinyBackbone', kernel=kernel, stride=stride, norm=norm),
        decode_head={**decode_head, **head},
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )


def model_cfg(method: str, segmentor: dict | None = None, **options) -> dict:
    """Config of one of :data:`METHODS`."""
    kind, defaults = METHODS[method]
    cfg = dict(type=kind, segmentor=segmentor or tiny_segmentor(), **defaults)
    return copy.deepcopy({**cfg, **options})


def build_model(method: str, segmentor: dict | None = None, pool: int = 10, **options):
    """The model with initialised weights, in training mode; the networks differ.

    Where a stage after the first one has parts that the first has not, this is that stage.
    """
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(model_cfg(method, segmentor, **options)))
    model.init_weights()
    model.begin_stage()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    if hasattr(model, 'class_bank'):
        model.class_bank.resize(pool)
    return model.train()


def freeze_norm(model) -> None:
    """Batch norm uses its running statistics, so images do not influence each other."""
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()


def make_sample(label: torch.Tensor, **metainfo) -> SegDataSample:
    """A data sample with a ground truth ``(H, W)``."""
    metainfo = {'img_shape': tuple(label.shape), 'ori_shape': tuple(label.shape), **metainfo}
    return SegDataSample(gt_sem_seg=PixelData(data=label.long().unsqueeze(0)), metainfo=metainfo)


def make_batch(branches, num: int = 2, size: int = SIZE, seed: int = 0, num_classes=NUM_CLASSES):
    """Preprocessed images and data samples by branch."""
    generator = torch.Generator().manual_seed(seed)
    inputs, samples = {}, {}
    for b, branch in enumerate(branches):
        inputs[branch] = torch.randn(num, 3, size, size, generator=generator)
        labels = torch.randint(num_classes, (num, size, size), generator=generator)
        if branch not in ('labelled', 'paste'):
            labels = torch.full_like(labels, 255)
        samples[branch] = [
            make_sample(label, pool_idx=(b + i) % 10, cutmix_class=i % num_classes)
            for i, label in enumerate(labels)
        ]
    return inputs, samples


def batch_for(model, **kwargs):
    """:func:`make_batch` with the branches that a model asks for."""
    return make_batch(model.required_branches, **kwargs)
