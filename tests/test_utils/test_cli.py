"""Parsers of the tools, and how tools end: one line for a user's mistake, else a traceback."""

import argparse
import os
from pathlib import Path

import pytest

from mmseg_tsf.datasets.splits import read_list
from mmseg_tsf.utils.cli import ToolParser, existing_file, existing_folder, run_tool
from mmseg_tsf.utils.errors import UserError


def test_a_user_error_is_one_line(capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: read_list(tmp_path / 'none.txt'))
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and 'none.txt' in error and error.count('\n') == 1


def test_the_first_error_of_a_chain_is_shown(capsys, tmp_path):
    def build():
        try:
            read_list(tmp_path / 'none.txt')
        except UserError as error:
            raise UserError(f'class `X` in y.py: {error}') from error

    with pytest.raises(SystemExit):
        run_tool(build)
    assert 'class `X`' not in capsys.readouterr().err


def test_anything_else_keeps_its_traceback():
    with pytest.raises(ValueError, match='invalid literal'):
        run_tool(lambda: int('x'))
    with pytest.raises(KeyError, match='a'):
        run_tool(lambda: {}['a'])


def test_what_is_there_is_handed_on(tmp_path):
    assert existing_file(__file__) == __file__
    assert existing_file('https://host/weights.pth') == 'https://host/weights.pth'
    assert existing_folder(str(tmp_path)) == Path(tmp_path)


def test_what_is_not_there_ends_a_tool_with_2(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('file', type=existing_file)
    parser.add_argument('folder', type=existing_folder)
    file, folder = __file__, str(tmp_path)
    for args in ([folder, folder], [file, file], ['none', folder], [file, 'none']):
        with pytest.raises(SystemExit) as stopped:
            parser.parse_args(args)
        assert stopped.value.code == 2
        assert 'does not exist or is not a f' in capsys.readouterr().err


def test_shared_arguments_can_be_changed_where_they_are_added(monkeypatch):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    parser = ToolParser('A tool.').share('config').share('--out', default=Path('x'))
    parser.share('--cfg-options').share('--seed').share_launcher()
    args = parser.parse_args([__file__, '--cfg-options', 'a.b=1', 'c=[2,3]', '--local-rank', '5'])
    assert args.config == __file__ and args.cfg_options == {'a.b': 1, 'c': [2, 3]}
    assert (args.out, args.seed, args.launcher) == (Path('x'), 0, 'none')
    assert os.environ['LOCAL_RANK'] == '5'
    assert parser.parse_args([__file__]).cfg_options == {}
    assert parser.parse_args([__file__, '-o', 'y']).out == Path('y')


@pytest.mark.parametrize(
    'work, text',
    [
        (lambda path: (path / 'none/x').touch(), 'none/x: No such file'),
        (lambda path: (path / 'a').touch() or (path / 'a/x').read_text(), 'a/x: Not a directory'),
        (lambda path: path.read_text(), 'Is a directory'),
    ],
)
def test_an_error_of_the_file_system_is_one_line(work, text, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: work(tmp_path))
    (said,) = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2 and text in said


def test_an_error_without_a_file_keeps_its_traceback():
    def fail():
        raise OSError(9, 'Bad file descriptor')

    with pytest.raises(OSError, match='Bad file descriptor'):
        run_tool(fail)
