"""``tools/export_segmentor.py``: the exported pair is plain, complete and exact."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import exploits
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmseg.registry import MODELS

from mmseg_tsf.demo.data_set import DemoStreetDataset
from mmseg_tsf.utils.checkpoint_reading import CAN_RESTRICT, read_checkpoint
from mmseg_tsf.utils.errors import UserError

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/tsf/tsf_r18-tiny-d8_deeplabv3plus_1xb4_demo-street-64x64.py'

# Runs where this package cannot be imported.
PLAIN = """
import sys
sys.modules['mmseg_tsf'] = None
import numpy as np, torch
from mmseg.apis import inference_model, init_model
torch.set_num_threads(1)
model = init_model('out.py', 'out.pth', device='cpu')
result = inference_model(model, np.load('image.npy'))
assert result.pred_sem_seg.data.shape == (1, 96, 128), result.pred_sem_seg.data.shape
assert model.dataset_meta['classes'][0] == 'sky'
with torch.no_grad():
    logits = model(torch.load('inputs.pt'), mode='tensor')
torch.save((logits, result.pred_sem_seg.data), 'outputs.pt')
"""


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('export', ROOT / 'tools/export_segmentor.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def cfg():
    return Config.fromfile(str(CONFIG))


@pytest.fixture(scope='module')
def model(cfg):
    """A wrapper whose networks differ in weights and in BN statistics."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    for name, buffer in model.named_buffers():
        if name.endswith(('running_mean', 'running_var')):
            buffer.uniform_(0.5, 1.5)
    return model


@pytest.fixture
def checkpoint(cfg, model, tmp_path):
    """A checkpoint with what mmengine puts in besides the weights."""
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    path = tmp_path / 'iter_2.pth'
    torch.save(
        dict(
            meta=dict(cfg=cfg.pretty_text, iter=2, dataset_meta=dict(DemoStreetDataset.METAINFO)),
            state_dict=model.state_dict(),
            message_hub=dict(log_scalars={'train/loss': history}),
        ),
        path,
    )
    return path


@pytest.mark.parametrize('network', ['teacher', 'student', 'friend'])
def test_weights_are_those_of_the_network(tool, model, checkpoint, tmp_path, network):
    tool.main([str(checkpoint), str(tmp_path / 'out.pth'), '--network', network])
    exported = torch.load(tmp_path / 'out.pth', weights_only=True)
    expected = getattr(model, network).state_dict()
    assert exported['state_dict'].keys() == expected.keys()
    assert all(torch.equal(exported['state_dict'][key], value) for key, value in expected.items())


def test_pair_predicts_exactly_without_this_package(tool, model, checkpoint, tmp_path):
    tool.main([str(checkpoint), str(tmp_path / 'out.pth')])
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    inputs = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    np.save(tmp_path / 'image.npy', image)
    torch.save(inputs, tmp_path / 'inputs.pt')
    run = subprocess.run(
        [sys.executable, '-c', PLAIN], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    logits, prediction = torch.load(tmp_path / 'outputs.pt')
    with torch.no_grad():
        assert torch.equal(model(inputs, mode='tensor'), logits)
        data = dict(inputs=[torch.from_numpy(image).permute(2, 0, 1)], data_samples=None)
        batch = model.data_preprocessor(data, False)
        expected = model.teacher.encode_decode(batch['inputs'], [dict(img_shape=(96, 128))])
    assert torch.equal(prediction, expected.argmax(dim=1))


def test_config_is_plain(tool, checkpoint, tmp_path):
    tool.main([str(checkpoint), str(tmp_path / 'out.pth')])
    text = (tmp_path / 'out.py').read_text()
    words = ('mmseg_tsf', 'custom_imports', 'Semi', 'DemoStreet', 'ClassIoU', 'init_cfg')
    words += ('train_dataloader', 'train_pipeline', 'custom_hooks', 'optim_wrapper')
    assert not [word for word in words if word in text]
    cfg = Config.fromfile(str(tmp_path / 'out.py'))
    assert cfg.model.type == 'EncoderDecoder'
    assert cfg.model.data_preprocessor.type == 'SegDataPreProcessor'
    dataset = cfg.test_dataloader.dataset
    assert (dataset.type, dataset.img_suffix, dataset.seg_map_suffix) == (
        'BaseSegDataset',
        '.png',
        '.png',
    )
    assert len(dataset.metainfo.classes) == 9
    assert cfg.test_evaluator.type == 'IoUMetric'
    assert (cfg.test_cfg.type, cfg.val_cfg.type) == ('TestLoop', 'ValLoop')


def test_predict_on_names_the_default(tool, checkpoint, tmp_path, capsys):
    state = read_checkpoint(checkpoint)
    cfg = Config.fromstring(state['meta']['cfg'], '.py')
    cfg.model.test_cfg = dict(predict_on='friend')
    state['meta']['cfg'] = cfg.pretty_text
    torch.save(state, checkpoint)
    tool.main([str(checkpoint), str(tmp_path / 'out.pth')])
    assert capsys.readouterr().out.startswith('friend of')


def test_a_checkpoint_is_read_after_mmengine_has_read_one(tool, checkpoint):
    mmengine_checkpoint.load_checkpoint(torch.nn.Linear(1, 1), str(checkpoint))
    assert 'state_dict' in tool.load_checkpoint(str(checkpoint))


def test_refusals(tool, model, checkpoint, tmp_path):
    out = str(tmp_path / 'out.pth')
    with pytest.raises(UserError, match='nowhere.pth does not exist'):
        tool.main(['nowhere.pth', out])
    with pytest.raises(UserError, match='must end in .pth'):
        tool.main([str(checkpoint), 'out.bin'])
    with pytest.raises(UserError, match="no network 'enemy': choose --network teacher or student"):
        tool.main([str(checkpoint), out, '--network', 'enemy'])
    with pytest.raises(UserError, match='is the checkpoint itself'):
        tool.main([str(checkpoint), str(checkpoint), '--force'])
    tool.main([str(checkpoint), out])
    with pytest.raises(UserError, match='out.pth exists.*--force'):
        tool.main([str(checkpoint), out])
    with pytest.raises(UserError, match='plain checkpoint already'):
        tool.main([out, str(tmp_path / 'again.pth')])
    tool.main([str(checkpoint), out, '--force'])


def test_refuses_a_network_that_the_checkpoint_lacks(tool, checkpoint, tmp_path):
    state = read_checkpoint(checkpoint)
    weights = state['state_dict']
    state['state_dict'] = {k: v for k, v in weights.items() if not k.startswith('friend.')}
    torch.save(state, checkpoint)
    with pytest.raises(UserError, match="no network 'friend': choose --network teacher or stud"):
        tool.main([str(checkpoint), str(tmp_path / 'out.pth'), '--network', 'friend'])
    other = ROOT / 'configs/_base_/models/deeplabv3plus_mobilenet-v2-d16.py'
    with pytest.raises(UserError, match='does not describe the network'):
        tool.main([str(checkpoint), str(tmp_path / 'out.pth'), '--config', str(other)])


@pytest.mark.skipif(not CAN_RESTRICT, reason='this torch runs pickles')
@pytest.mark.parametrize('way', ['os.system', 'getattr'])
def test_runs_no_code_from_a_checkpoint(tool, tmp_path, way):
    content = dict(state_dict={}, meta=dict(cfg=exploits.payloads(tmp_path / 'marker')[way]))
    path = exploits.save(tmp_path / 'evil.pth', content)
    with pytest.raises(UserError, match='evil.pth cannot be read as a checkpoint of tensors'):
        tool.main([str(path), str(tmp_path / 'out.pth')])
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('way', ['import', 'call', 'base', 'update'])
def test_runs_no_code_from_the_config_in_a_checkpoint(tool, checkpoint, tmp_path, way):
    state = read_checkpoint(checkpoint)
    state['meta']['cfg'] += exploits.codes(tmp_path / 'marker')[way]
    torch.save(state, checkpoint)
    with pytest.raises(UserError, match='iter_2.pth holds code in line .* nothing of it was run'):
        tool.main([str(checkpoint), str(tmp_path / 'out.pth')])
    assert sorted(tmp_path.iterdir()) == [checkpoint]


def test_calls_no_function_that_the_config_in_a_checkpoint_names(tool, checkpoint, tmp_path):
    marker = tmp_path / 'marker'
    state = read_checkpoint(checkpoint)
    for key in ('model', 'test_dataloader'):
        cfg = Config.fromstring(state['meta']['cfg'], '.py')
        evil = dict(type='subprocess.check_call', args=['touch', str(marker)])
        place = cfg.model.segmentor if key == 'model' else cfg.test_dataloader
        place.update({'backbone' if key == 'model' else 'dataset': evil})
        torch.save(dict(state, meta=dict(cfg=cfg.pretty_text)), checkpoint)
        with pytest.raises(UserError, match="type='subprocess.check_call' in the config"):
            tool.main([str(checkpoint), str(tmp_path / 'out.pth')])
    # a key that would be code where the exported config is read
    key = f"a': __import__('os').system('touch {marker}'), 'b"
    text = state['meta']['cfg'] + f'\nenv_cfg = dict(x={ {key: 1} })\n'
    torch.save(dict(state, meta=dict(cfg=text)), checkpoint)
    with pytest.raises(UserError, match='holds code'):
        tool.main([str(checkpoint), str(tmp_path / 'out.pth')])
    assert sorted(tmp_path.iterdir()) == [checkpoint]


@pytest.mark.parametrize(
    'content',
    [[], {}, dict(state_dict=[1]), dict(state_dict={1: 2}), dict(state_dict={}, meta=3),
     dict(state_dict={}, meta=dict(cfg=5)), dict(state_dict={}, meta=dict(cfg='model = 5'))],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(tool, tmp_path, content):
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(UserError, match='a.pth'):
        tool.main([str(tmp_path / 'a.pth'), str(tmp_path / 'out.pth')])
