"""A grid of two strategies and two seeds: what is shared, killed, resumed and written."""

import json
import re
from pathlib import Path

import pytest
from compared_runs import write_compared
from fault_runs import snapshot
from grid_jobs import ITERS, forked, write_config
from tiny_runs import make_runner
from tool_loader import load_tool

from mmseg_tsf.engine.grid import jobs
from mmseg_tsf.utils.errors import UserError

kill_resume = load_tool('benchmark/kill_resume.py')


@pytest.fixture(scope='module')
def tool():
    return load_tool('active_learning/compare.py')


@pytest.fixture(scope='module')
def home(tmp_path_factory, data_root) -> Path:
    """A folder with two configs that differ in their strategy."""
    folder = tmp_path_factory.mktemp('grid')
    for name, query in (('random_toy', 'RandomQuery'), ('entropy_toy', 'EntropyQuery')):
        write_config(folder, data_root, name, query)
    return folder


@pytest.fixture(scope='module')
def command(home) -> list[str]:
    """Arguments for a grid of the two configs with two seeds."""
    configs = [str(home / f'{name}_toy.py') for name in ('random', 'entropy')]
    return [*configs, '--seeds', '0,1', '--work-dir', str(home / 'out'), '--processes', '2']


@pytest.fixture(scope='module')
def grid(tool, home, command):
    """What the tool says in two calls: in the first one a run is killed."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tool, 'say', said.append)
        patch.setattr(jobs, 'start_process', forked({'entropy_toy, seed 1': 3}))
        with pytest.raises(UserError) as failed:
            tool.main(command)
        first = said.copy(), str(failed.value), (home / 'out/compare.md').read_text()
        said.clear()
        patch.setattr(jobs, 'start_process', forked())
        tool.main(command)
    return *first, said


def test_a_run_that_is_killed_is_reported_and_the_others_go_on(grid, home):
    said, failed, text, _ = grid
    output = home / 'out/entropy_toy/seed_1/output.txt'
    assert failed.startswith('2 jobs failed, start the same command again to go on (')
    assert f'entropy_toy, seed 1: exit status -9, see {output}' in failed
    assert 'labels of entropy_toy, seed 1: it needs this: entropy_toy, seed 1' in failed
    assert output.is_file()
    assert sum(line.startswith('done in') for line in said) == 2 + 3 + 3
    assert '| random | 0, 1 |' in text and '| entropy | 0 |' in text
    assert f'- `{output.parent}`' in text


def test_the_same_command_goes_on(grid):
    said = grid[3]
    assert 'entropy_toy, seed 1: is resumed' in said
    started = [line for line in said if line.startswith('started: ')]
    assert started == ['started: entropy_toy, seed 1', 'started: labels of entropy_toy, seed 1']


def test_the_first_stage_is_trained_once(grid, home):
    said = grid[0]
    started = [
        line for line in said if line.startswith('started: first stage of random_toy and 1 more')
    ]
    assert len(started) == 2 and len(set(started)) == 2  # one for each seed
    (key,) = (home / 'out/first_stages').iterdir()
    for seed in (0, 1):
        stage = key / f'seed_{seed}'
        assert (stage / 'iter_2.pth').is_file() and not (stage / 'iter_3.pth').exists()
        assert not list(stage.glob('rounds/round_*'))
        record = json.loads((home / f'out/entropy_toy/seed_{seed}/run_info.json').read_text())
        assert record['config'].endswith('entropy_toy.py') and record['finished_iters'] == ITERS
        assert record['first_stage']['folder'] == str(stage)
        assert record['first_stage']['iters'] == 2
        assert len(record['resumed_with_commit']) == 1 + seed  # seed 1 was killed


@pytest.mark.parametrize('strategy', ['random', 'entropy'])
def test_runs_end_like_those_that_share_nothing(grid, home, strategy, tmp_path):
    cfg = kill_resume.Config.fromfile(home / f'{strategy}_toy.py')
    cfg.merge_from_dict(dict(randomness=dict(seed=1), work_dir=str(tmp_path), log_level='ERROR'))
    cfg.experiment_name = f'alone_{strategy}'
    make_runner(cfg).train()
    alone, shared = map(kill_resume.outcome, (tmp_path, home / f'out/{strategy}_toy/seed_1'))
    assert kill_resume.differences(alone, shared) == [] and alone['rounds']
    logs = (tmp_path, home / f'out/{strategy}_toy/seed_1')
    lines = [(log / 'active_learning.jsonl').read_text().splitlines() for log in logs]
    keys = ('round', 'iter', 'state', 'spent', 'metrics')
    first, second = ([[json.loads(line)[k] for k in keys] for line in own] for own in lines)
    assert first == second
    assert json.loads(lines[1][0])['seconds']['train'] > 0


def test_the_tables(grid, tool, home, monkeypatch, command):
    said = []
    monkeypatch.setattr(tool, 'say', said.append)
    written = snapshot(home / 'out')
    (group,) = tool.main(['--table-only', '--work-dir', str(home / 'out')])
    changed = {
        path.name for path, content in snapshot(home / 'out').items() if written[path] != content
    }
    assert changed <= {'compare.png'}
    assert [row['seeds'] for row in group['methods']] == [[0, 1], [0, 1]]
    for row in group['methods']:
        assert row['shared'] == 2 and len(row['curve']) == 3
        assert row['labels']['images']['mean'] == 7 and row['labels']['mIoU']['n'] == 2
        assert row['labels']['asked']['mean'] == pytest.approx(100 * 301 / (7 * 40 * 48))
    # both begin with the same weights
    assert group['methods'][0]['curve'][0] == group['methods'][1]['curve'][0]
    text = (home / 'out/compare.md').read_text()
    assert '| entropy − random | 2 | ' in text and re.search(r'sha256 [0-9a-f]{16}\)', text)
    assert (home / 'out/compare.png').read_bytes()[:4] == b'\x89PNG'
    said.clear()
    tool.main(command)
    assert said[0] == '4 runs, 0 jobs to do, 2 at a time'


def test_a_strategy_that_is_added_begins_with_the_stage_that_is_there(
    grid, home, tool, data_root, monkeypatch
):
    more = write_config(home, data_root, 'margin_toy', 'MarginQuery')
    said = []
    monkeypatch.setattr(tool, 'say', said.append)
    monkeypatch.setattr(jobs, 'start_process', forked())
    tool.main([str(more), '--seeds', '0', '--work-dir', str(home / 'out')])
    started = [line for line in said if line.startswith('started: ')]
    assert started == ['started: margin_toy, seed 0', 'started: labels of margin_toy, seed 0']
    assert '| margin | 0 |' in (home / 'out/compare.md').read_text()


def test_other_settings_are_refused(grid, home, tool, command):
    with pytest.raises(UserError, match=r'seed_0 holds a run with train_cfg.budget.total=\d+'):
        tool.main([*command, '--cfg-options', 'train_cfg.budget.total=0.5'])


def test_what_cannot_be_compared_is_refused(home, tool, tmp_path, capsys):
    config, out = str(home / 'random_toy.py'), ['--work-dir', str(tmp_path / 'out')]
    for options, text in (
        (['train_cfg.type=IterBasedTrainLoop'], 'no such option'),
        (['val_cfg=None', 'val_dataloader=None', 'val_evaluator=None'], 'has no val_cfg'),
    ):
        with pytest.raises(UserError, match=text):
            tool.main([config, *out, '--cfg-options', *options])
    with pytest.raises(UserError, match='names a seed twice'):
        tool.main([config, *out, '--seeds', '1,1'])
    with pytest.raises(UserError, match='two configs have the name random_toy'):
        tool.main([config, config, *out])
    with pytest.raises(UserError, match='holds no finished run'):
        tool.main(['--table-only', *out])
    for words in (
        [],
        [config, '--table-only'],
        [config, '--seeds', 'a'],
        [config, '--threads', '0'],
    ):
        with pytest.raises(SystemExit):
            tool.main([*words, *out])
    assert 'a is no list of numbers such as 0,1,2' in capsys.readouterr().err


def test_tables_of_folders_alone(tool, tmp_path, capsys):
    write_compared(tmp_path, 'random', 0, [1.0, 2.0])
    write_compared(tmp_path, 'random', 0, [1.0, 2.0], data='other')
    tool.main(['--table-only', '--work-dir', str(tmp_path)])
    assert capsys.readouterr().out == (tmp_path / 'compare.md').read_text() + '\n'
