"""The tool for reports: what it writes, what it says, and how it refuses."""

import json
from pathlib import Path

import pytest
from tiny_runs import make_runner, tiny_runner_cfg
from tool_loader import load_tool

from mmseg_tsf.utils.errors import UserError


@pytest.fixture(scope='module')
def tool():
    return load_tool('report.py')


@pytest.fixture(scope='module')
def trained(data_root, tmp_path_factory) -> Path:
    """Folder of a finished run without rounds."""
    folder = tmp_path_factory.mktemp('run')
    make_runner(tiny_runner_cfg('supervised', data_root, folder)).train()
    return folder


def test_it_writes_into_the_run_or_elsewhere(tool, trained, tmp_path, capsys):
    path = tool.main([str(trained)])
    assert path == trained / 'report/index.html'
    assert capsys.readouterr().out.startswith(f'{path} (1 files, 0.0 MiB)')
    other = tool.main([str(trained), '-o', str(tmp_path / 'out'), '--safe-palette'])
    assert 'data-palette="own"' in path.read_text()
    assert 'data-palette="safe"' in other.read_text()
    assert trained.name in other.read_text()


def test_runs_are_compared(tool, trained, tmp_path):
    scores = {'student/mIoU': 61.25}
    (tmp_path / 'run_info.json').write_text((trained / 'run_info.json').read_text())
    with pytest.raises(UserError, match='no student/mIoU at iteration 4: let it finish'):
        tool.main([str(trained), '--compare', str(tmp_path)])
    (tmp_path / 'test_metrics.json').write_text(
        json.dumps(dict(checkpoint='iter_4.pth', metrics=scores))
    )
    path = tool.main([str(trained), '--compare', str(tmp_path)])
    assert 'as tested' in path.read_text() and '61.25' in path.read_text()


def test_what_is_no_run_is_refused(tool, tmp_path, capsys):
    with pytest.raises(UserError, match='is not the folder of a run'):
        tool.main([str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        tool.main([str(tmp_path), '--gallery', '-1'])
    assert stopped.value.code == 2
    assert '--gallery -1 must be at least 0' in capsys.readouterr().err


def test_help_shows_an_example(tool, capsys):
    with pytest.raises(SystemExit):
        tool.parse_args(['--help'])
    assert 'python tools/report.py work_dirs/<run> -o report --compare' in capsys.readouterr().out
