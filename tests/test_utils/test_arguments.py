"""Arguments that name what is not there."""

import argparse
from pathlib import Path

import pytest

from mmseg_tsf.utils.cli import existing_file, existing_folder


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
        assert 'does not exist or is no f' in capsys.readouterr().err
