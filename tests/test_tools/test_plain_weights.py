"""``tools/model_converters/plain_weights.py``: weights come through, code does not run."""

import exploits
import pytest
import torch
from tool_loader import load_tool

from mmseg_tsf.utils.checkpoint_reading import read_checkpoint
from mmseg_tsf.utils.errors import UserError


@pytest.fixture(scope='module')
def tool():
    return load_tool('model_converters/plain_weights.py')


@pytest.mark.parametrize('way', sorted(exploits.payloads('marker')))
def test_a_payload_is_left_out(tool, tmp_path, way):
    evil = exploits.payloads(tmp_path / 'marker')[way]
    weights = dict(layer=torch.arange(6.0).reshape(2, 3).T, half=torch.ones(2).half())
    meta = dict(epoch=3, name='x', evil=evil, classes=('a', 'b'), nested=[1, evil, dict(a=evil)])
    path, out = tmp_path / 'evil.pth', tmp_path / 'out.pth'
    torch.save(dict(state_dict=weights), path)
    # the same storages, with objects beside them
    content = torch.load(path, weights_only=True)
    torch.save(content | dict(meta=meta, optimizer=evil), path, pickle_module=exploits)
    tool.main([str(path), str(out)])
    assert not (tmp_path / 'marker').exists()
    found = read_checkpoint(out)
    assert found.keys() == {'meta', 'state_dict'}
    expected = dict(epoch=3, name='x', classes=('a', 'b'), nested=[1, {}])
    assert found['meta'] == expected
    assert found['state_dict'].keys() == weights.keys()
    assert all(torch.equal(found['state_dict'][key], own) for key, own in weights.items())


def test_flat_and_old_files_are_read(tool, tmp_path):
    weights = dict(a=torch.randn(3), b=torch.nn.Parameter(torch.randn(2, 2)))
    path, out = tmp_path / 'a.pth', tmp_path / 'out.pth'
    torch.save(weights, path, _use_new_zipfile_serialization=False)
    tool.main([str(path), str(out)])
    found = read_checkpoint(out)['state_dict']
    assert all(torch.equal(found[key], own) for key, own in weights.items())
    with pytest.raises(UserError, match='out.pth exists'):
        tool.main([str(path), str(out)])


def test_other_files_are_refused(tool, tmp_path):
    path, out = tmp_path / 'a.pth', tmp_path / 'out.pth'
    for content, text in ((b'', 'is damaged'), (b'text', 'is damaged'), (b'PK\x03\x04', 'damaged')):
        path.write_bytes(content)
        with pytest.raises(UserError, match=text):
            tool.main([str(path), str(out)])
    torch.save(dict(meta={}), path)
    with pytest.raises(UserError, match='holds no weights'):
        tool.main([str(path), str(out)])
    torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.ones(1)), str(path))
    with pytest.raises(UserError, match='TorchScript'):
        tool.main([str(path), str(out)])
    assert list(tmp_path.iterdir()) == [path]
