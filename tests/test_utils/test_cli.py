"""Mistakes of users end in a sentence, bugs in a traceback."""

import pytest
from mmseg.registry import MODELS

from mmseg_tsf.datasets.splits import read_list
from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.errors import UserError


def test_a_refusal_of_ours_is_one_sentence(capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: read_list(tmp_path / 'none.txt'))
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and 'none.txt' in error and error.count('\n') == 1


def test_a_refusal_that_a_registry_raised_again_is_the_first_sentence(capsys, tmp_path):
    def build():
        try:
            read_list(tmp_path / 'none.txt')
        except FileNotFoundError as error:
            raise FileNotFoundError(f'class `X` in y.py: {error}') from error

    with pytest.raises(SystemExit):
        run_tool(build)
    assert 'class `X`' not in capsys.readouterr().err


def test_anything_else_keeps_its_traceback():
    with pytest.raises(UserError, match='invalid literal'):
        run_tool(lambda: __import__('json').JSONDecoder(parse_int=int).decode('1') + int('x'))
    with pytest.raises(KeyError, match='a'):
        run_tool(lambda: {}['a'])


@pytest.mark.parametrize(
    ('cfg', 'text'),
    [
        (dict(type='NoSuchModel'), 'NoSuchModel is not in the mmseg::model registry'),
        (dict(type='MobileNetV2', depth=3), "unexpected keyword argument 'depth'"),
    ],
)
def test_what_a_config_misspells_is_one_sentence(cfg, text, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: MODELS.build(cfg))
    assert stopped.value.code == 2 and text in capsys.readouterr().err
