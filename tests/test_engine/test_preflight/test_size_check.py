"""Sizes that do not divide into the patches of a transformer are refused before training."""

import pytest
from helpers import TinyBackbone, model_cfg, tiny_segmentor
from mmseg.registry import MODELS
from tiny_runs import make_runner, tiny_runner_cfg
from torch import nn

from mmseg_tsf.utils.errors import UserError


@MODELS.register_module(force=True)
class PatchBackbone(TinyBackbone):
    """A backbone that has patches, and may pad its images to whole ones."""

    def __init__(self, patch, pads: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.patch_size = patch
        if pads:
            self.patch_embed = nn.Module()
            self.patch_embed.adap_padding = nn.Identity()


def config(data_root, tmp_path, patch, pads=False, friend=None, **preprocessor):
    """A run whose images are 32x32 if nothing else is said."""
    segmentors = []
    for own in (patch, friend or patch):
        segmentor = tiny_segmentor()
        segmentor['backbone'].update(type='PatchBackbone', patch=own, pads=pads)
        segmentor['data_preprocessor'].update(preprocessor)
        segmentors.append(segmentor)
    model = model_cfg('cps', segmentors[0], networks=dict(friend=segmentors[1]))
    return tiny_runner_cfg('cps', data_root, tmp_path, max_iters=1, model=model)


def refuse(cfg, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_runner(cfg).train()


@pytest.mark.parametrize('patch', [5, (4, 5)])
def test_padded_size(data_root, tmp_path, patch):
    cfg = config(data_root, tmp_path, patch)
    rows = patch if isinstance(patch, int) else patch[0]
    message = rf'data_preprocessor.size is \(32, 32\), .* patches of {rows}x5 pixels of the student'
    refuse(cfg, message)


def test_network_of_another_architecture(data_root, tmp_path):
    refuse(config(data_root, tmp_path, 4, friend=5), 'of 5x5 pixels of the friend')


def test_crop_where_the_batch_is_padded_to_multiples(data_root, tmp_path):
    cfg = config(data_root, tmp_path, 6, size=None, size_divisor=10)
    message = (
        r'crop_size of the labelled pipeline, padded to multiples of 10, is \(40, 40\), which does'
    )
    refuse(cfg, message)


def test_window_of_sliding_inference(data_root, tmp_path):
    cfg = config(data_root, tmp_path, 4)
    cfg.model.segmentor.test_cfg = dict(mode='slide', crop_size=(32, 30), stride=(16, 16))
    refuse(cfg, r'test_cfg.crop_size is \(32, 30\), which does not divide')


@pytest.mark.parametrize(
    ('patch', 'pads', 'preprocessor'),
    [
        (4, False, {}),
        (5, True, {}),  # as MMSegmentation's VisionTransformer
        (6, False, dict(size=None, size_divisor=12)),
    ],
)
def test_sizes_that_fit(data_root, tmp_path, patch, pads, preprocessor):
    runner = make_runner(config(data_root, tmp_path, patch, pads, **preprocessor))
    runner.train()
    assert runner.iter == 1
