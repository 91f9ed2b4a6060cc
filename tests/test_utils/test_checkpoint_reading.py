"""``mmseg_tsf.utils.checkpoint_reading``: values come through, code does not run."""

from collections import OrderedDict

import exploits
import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from tiny_runs import assert_equal, make_dataset, make_runner, tiny_runner_cfg
from torch.serialization import get_safe_globals

from mmseg_tsf.utils.checkpoint_reading import CAN_RESTRICT, TRUST, read_checkpoint, read_url
from mmseg_tsf.utils.errors import UserError

pytestmark = pytest.mark.skipif(not CAN_RESTRICT, reason='this torch runs pickles')
WAYS = sorted(exploits.payloads('marker'))


def opened() -> dict[str, object]:
    """What files may hold in this process beside what torch itself has allowed, by package."""
    known = [own[0] if isinstance(own, tuple) else own for own in get_safe_globals()]
    return {p: own for own in known if (p := own.__module__.split('.')[0]) != 'torch'}


@pytest.fixture
def marker(tmp_path):
    return tmp_path / 'marker'


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('load', ['ours', 'mmengine', 'runner', 'download'])
def test_no_payload_runs(tmp_path, marker, way, load):
    content = dict(meta={}, state_dict=OrderedDict(), message_hub=exploits.payloads(marker)[way])
    path = exploits.save(tmp_path / 'evil.pth', content)
    loads = dict(
        ours=lambda: read_checkpoint(path),
        mmengine=lambda: CheckpointLoader.load_checkpoint(str(path)),
        runner=lambda: load_checkpoint(torch.nn.Linear(1, 1), str(path), map_location='cpu'),
        download=lambda: read_url(path.as_uri(), str(tmp_path / 'cache'), progress=False),
    )
    with pytest.raises(UserError, match=r'evil.pth (cannot be read as .*plain_weights.py|is dam)'):
        loads[load]()
    assert not marker.exists() and opened() == {}


@pytest.mark.parametrize('way', ['exec', 'getattr'])
def test_the_payloads_are_real(tmp_path, marker, way):
    """By torch alone with mmengine's list of types, ``getattr`` included, they do run."""
    path = exploits.save(tmp_path / 'evil.pth', exploits.payloads(marker)[way])
    known = [HistoryBuffer, getattr] if way == 'getattr' else []
    with torch.serialization.safe_globals(known):
        torch.load(path, weights_only=way == 'getattr')
    assert marker.exists()


def test_importing_the_package_opens_nothing():
    assert opened() == {}


def test_a_checkpoint_of_mmengine_is_read_to_the_last_value(tmp_path):
    root = make_dataset(tmp_path / 'data')
    cfg = tiny_runner_cfg('mt', root, tmp_path / 'run', max_iters=2)
    cfg.default_hooks.logger.interval = 1
    make_runner(cfg).train()
    path = tmp_path / 'run' / 'iter_2.pth'
    expected = torch.load(path, map_location='cpu', weights_only=False)
    found = read_checkpoint(path)
    histories = [part['message_hub'].pop('log_scalars') for part in (found, expected)]
    assert_equal(found, expected)
    assert histories[0].keys() == histories[1].keys() and 'train/loss' in histories[0]
    for name, own in histories[0].items():
        for mine, theirs in zip(own.data, histories[1][name].data, strict=True):
            assert np.array_equal(mine, theirs)
        assert own.statistics('mean') == own.mean()
    assert {'optimizer', 'param_schedulers', 'meta', 'state_dict'} <= found.keys()


def test_plain_numpy_values_are_read(tmp_path):
    values = dict(
        scalar=np.float32(0.5), best=np.float64(71.25), n=np.int64(3), flag=np.bool_(True),
        array=np.arange(6, dtype=np.uint8).reshape(2, 3), names=np.array(['a', 'bc']),
    )  # fmt: skip
    torch.save(dict(meta=values), tmp_path / 'a.pth')
    found = read_checkpoint(tmp_path / 'a.pth')['meta']
    for key, value in values.items():
        assert np.array_equal(found[key], value) and found[key].dtype == value.dtype


def test_what_a_user_allows_stays_allowed(tmp_path):
    torch.save(dict(meta=np.arange(3)), tmp_path / 'a.pth')
    with torch.serialization.safe_globals([np.ndarray]):
        read_checkpoint(tmp_path / 'a.pth')
        assert opened() == {'numpy': np.ndarray}
    assert opened() == {}


def test_a_trusted_file_is_read_on_request(tmp_path, marker, monkeypatch):
    path = exploits.save(tmp_path / 'mine.pth', exploits.payloads(marker)['exec'])
    monkeypatch.setenv(TRUST, '1')
    read_checkpoint(path)
    assert marker.exists()


def test_damaged_files_are_one_sentence(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict=dict(a=torch.arange(300.0))), path)
    whole = path.read_bytes()
    contents = [b'', b'text', b'\x80\x02.', whole[: len(whole) // 2], b'\x00' * 100, b'PK\x03\x04']
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(UserError, match='a.pth is damaged or no checkpoint'):
            read_checkpoint(path)
    with pytest.raises(UserError, match='does not exist or is not a file'):
        read_checkpoint(tmp_path)
