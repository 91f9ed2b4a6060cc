"""``mmseg_tsf.utils.config_data``: dumped configs come through, code does not run."""

import contextlib
import math
from pathlib import Path

import exploits
import pytest
from mmengine.config import Config
from mmseg.registry import MODELS

import mmseg_tsf  # noqa: F401
from mmseg_tsf.utils.config_data import check_types, parse_config, read_config, read_config_data
from mmseg_tsf.utils.errors import UserError

ROOT = Path(__file__).parents[2]
CONFIGS = [
    'tsf/tsf_r18-tiny-d8_deeplabv3plus_1xb4_demo-street-64x64.py',
    'active_learning/*.py',
]


@pytest.mark.parametrize('name', CONFIGS)
def test_a_dumped_config_is_what_mmengine_reads(name, tmp_path):
    dumped = tmp_path / 'dumped.py'
    Config.fromfile(sorted((ROOT / 'configs').glob(name))[0]).dump(dumped)
    found = read_config_data(dumped)
    assert found.to_dict() == Config.fromfile(dumped, import_custom_modules=False).to_dict()
    assert found.filename == str(dumped)


@pytest.mark.parametrize('suffix', ['.json', '.yaml'])
def test_other_kinds_of_configs(suffix, tmp_path):
    values = dict(model=dict(type='X', sizes=[1, 2], lr=0.5, on=True, nothing=None))
    Config(values).dump(tmp_path / f'dumped{suffix}')
    assert read_config_data(tmp_path / f'dumped{suffix}').to_dict() == values


def test_every_kind_of_value():
    text = (
        "a = -1\nb = 1e-05\nc = [(1, 2), None, True, {'x': b'y'}]\nd = {1, 2}\ne = inf\nf = -inf\n"
        "g = dict(x=1, y=dict({'no-name': 2, 3: 4}))\nh = torch.optim.SGD\ni = 'a' 'b'\nj = ()\n"
        "a = 'later'\n"
    )
    assert parse_config(text, 'x') == dict(
        a='later', b=1e-5, c=[(1, 2), None, True, {'x': b'y'}], d={1, 2}, e=math.inf, f=-math.inf,
        g=dict(x=1, y={'no-name': 2, 3: 4}), h='torch.optim.SGD', i='ab', j=(),
    )  # fmt: skip
    assert math.isnan(parse_config('a = nan', 'x')['a'])


@pytest.mark.parametrize('way', sorted(exploits.codes('marker')))
def test_no_code_runs(way, tmp_path):
    marker = tmp_path / 'marker'
    path = tmp_path / 'config.py'
    path.write_text(exploits.codes(marker)[way])
    (tmp_path / 'evil_base.py').write_text(exploits.codes(marker)['call'])
    with pytest.raises(UserError, match=r'config.py holds code in line \d, .* nothing of it was'):
        read_config_data(path)
    assert not marker.exists()
    if way in ('call', 'key', 'f-string', 'update', 'base'):  # mmengine runs them
        with contextlib.suppress(Exception):
            Config.fromfile(path)
        assert marker.exists()


def test_a_yaml_config_makes_no_objects(tmp_path):
    marker = tmp_path / 'marker'
    path = tmp_path / 'config.yaml'
    path.write_text(f'a: !!python/object/apply:os.system ["touch {marker}"]\n')
    with pytest.raises(UserError, match='config.yaml is broken'):
        read_config_data(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    'content',
    [b'a = (', b'a = 1\x00', b'\xff\xfe\x00', b'a = ' + b'[' * 5000, b'a = ' + b'-' * 90000 + b'1',
     b'a = {[]: 1}', b'a = 1' + b'0' * 5000],
)  # fmt: skip
def test_broken_files_are_one_sentence(content, tmp_path):
    path = tmp_path / 'config.py'
    path.write_bytes(content)
    with pytest.raises(UserError, match='config.py (is broken|cannot be read)'):
        read_config_data(path)


@pytest.mark.parametrize(
    'kind',
    ['os.system', 'subprocess.Popen', 'builtins.exec', 'mmengine.config.Config.fromfile',
     'mmengine.dump', 'mmpretrain.get_model', 'mmseg.apis.init_model'],
)  # fmt: skip
def test_a_type_that_is_no_component_is_not_built(kind):
    with pytest.raises(UserError, match='nothing is built from it'):
        check_types(dict(model=[dict(backbone=dict(type=kind))]), 'x')


def test_dotted_types_are_why(tmp_path):
    """mmengine's registries do call any function that a config names."""
    marker = tmp_path / 'marker'
    MODELS.build(dict(type='subprocess.check_call', args=['touch', str(marker)]))
    assert marker.exists()


def test_components_are_known_by_name_and_by_path():
    for kind in ('EncoderDecoder', 'mmseg.EncoderDecoder', 'mmseg.models.EncoderDecoder',
                 'mmseg_tsf.models.MeanTeacher', 'MyOwnBackbone'):  # fmt: skip
        check_types(dict(model=dict(type=kind, _scope_='mmseg')), 'x')
    with pytest.raises(UserError, match='_scope_'):
        check_types(dict(_scope_='evil'), 'x')


@pytest.mark.parametrize(
    'text, sentence',
    [
        ('a = (', r'SyntaxError'),
        ('_base_ = "none.py"\n', r'none.py'),
        ('a = b\n', r"NameError.*name 'b'"),
        ('raise KeyError\n', r'KeyError.*no reason is given'),
        ('custom_imports = dict(imports=["nowhere_at_all"])\n', r'ImportError'),
        ('', 'has no model'),
        ('model = 5\n', 'has no model'),
        ('model = dict()\n', 'has no model'),
        (
            'model = dict(type="X")\ntrain_dataloader = dict(dataset=[])\n',
            'has no train_dataloader',
        ),
    ],
)
def test_a_config_that_fails_is_one_sentence(text, sentence, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(text)
    with pytest.raises(UserError, match=f'config.py .*{sentence}'):
        read_config(path, ('model', 'train_dataloader.dataset'))
    for content in (b'\xff\xfe\x00\x00', b'a = "\x00"'):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r'config.py cannot be read \('):
            read_config(path)
