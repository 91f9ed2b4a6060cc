"""What all tools have in common: ``--help`` with an example, and how they end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tool_loader import ROOT, load_tool

from mmseg_tsf.utils.cli import run_tool

TOOLS = sorted(p.relative_to(ROOT / 'tools').as_posix() for p in (ROOT / 'tools').rglob('*.py'))
SCRIPTS = sorted(p.name for p in (ROOT / 'tools').glob('*.sh'))
# what a user may get wrong, and a part of what is said about it
MISTAKES = {
    'train.py': (['no.py'], 'no.py does not exist'),
    'test.py': (['no.py', 'no.pth'], 'no.py does not exist'),
    'browse_batch.py': (['no.py', '-o', 'out'], 'no.py does not exist'),
    'compare_runs.py': (['no', '--title', 'x'], 'no'),
    'export_segmentor.py': (['no.pth', 'out.pth'], 'no.pth does not exist'),
    'make_splits.py': (['--image-dir', 'no', '--out', 'out'], 'no does not exist'),
    'report.py': (['no'], 'no'),
    'results_table.py': (['no'], 'no'),
    'active_learning/amend.py': (['no', '--round', '0'], 'no holds neither rounds/'),
    'active_learning/compare.py': (['no.py', '--work-dir', 'out'], 'no.py does not exist'),
    'active_learning/curves.py': (['no'], 'no is not the folder of a run'),
    'active_learning/export_requests.py': (['no', '--format', 'cvat', '-o', 'out'], 'no'),
    'active_learning/import_answers.py': (['no', 'no.zip', '--format', 'cvat'], 'no'),
    'active_learning/replay.py': (['no', '--round', '0'], 'no'),
    'active_learning/status.py': (['no'], 'holds no active-learning campaign'),
    'active_learning/verify.py': (['no'], 'no does not exist'),
    'analysis/class_weights.py': (['no.py'], 'no.py does not exist'),
    'analysis/feature_tsne.py': (['no.py', 'no.pth'], 'no.py does not exist'),
    'analysis/label_quality.py': (['no'], 'no does not exist'),
    'analysis/plar_ablation.py': (['no.py', 'no.pth'], 'no.py does not exist'),
    'analysis/pseudo_labels.py': (['no.py', 'no.pth'], 'no.py does not exist'),
    'benchmark/crash_points.py': (['--rounds', '0'], 'must be at least 1'),
    'benchmark/kill_resume.py': (['--kills', '0'], 'must be at least 1'),
    'benchmark/plar.py': (['--repeats', '0'], 'must be at least 1'),
    'benchmark/pool_pass.py': (['--repeats', '0'], 'must be at least 1'),
    'benchmark/speed_table.py': (['no.json'], 'no.json does not exist'),
    'benchmark/step_time.py': (['no.py'], 'no.py does not exist'),
    'benchmark/store_scale.py': (['--rounds', '1', '--work-dir', 'x'], '--rounds must be above 3'),
    'dataset_converters/aerial.py': (['no', '--out', 'out'], 'does not exist: SOURCE must'),
    'dataset_converters/camvid.py': (['no', '--out', 'out'], 'no/train does not exist'),
    'dataset_converters/demo_street.py': (['out', '--labelled', '0'], 'num_labelled must be'),
    'model_converters/plain_weights.py': (['no.pth', 'out.pth'], 'no.pth does not exist'),
    'model_converters/efficientnet_lite0.py': (['no.pth', '--out', 'out'], 'no.pth does not exist'),
}


@pytest.mark.parametrize('name', TOOLS)
def test_help_shows_an_example(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [name, '--help'])
    with pytest.raises(SystemExit) as stopped:
        load_tool(name).main()
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    takes_nothing = re.match(r'usage: \S+ \[-h\]\n', shown)
    assert takes_nothing or re.search(rf'python tools/{name} +[^ ]', shown)


@pytest.mark.parametrize('name', TOOLS)
def test_a_tool_ends_by_run_tool(name):
    text = (ROOT / 'tools' / name).read_text()
    assert re.search(r"\nif __name__ == '__main__':\n    run_tool\(.+\)\n\Z", text)


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_is_one_sentence_and_status_2(name, monkeypatch, tmp_path, capsys):
    args, text = MISTAKES[name]
    tool = load_tool(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', [name, *args])
    with pytest.raises(SystemExit) as stopped:
        run_tool(tool.main)
    assert stopped.value.code == 2
    *before, said = capsys.readouterr().err.splitlines()
    assert 'error: ' in said and text in said
    assert 'Traceback (most recent call last):' not in before
    assert list(tmp_path.iterdir()) == []


def test_mistakes_of_every_tool_are_made():
    assert set(TOOLS) - set(MISTAKES) <= {'demo.py'}  # takes no argument


@pytest.mark.parametrize('name', SCRIPTS)
def test_scripts_help_likewise(name):
    script = Path(ROOT, 'tools', name)
    for option in ('--help', '-h'):
        run = subprocess.run([script, option], capture_output=True, text=True)
        assert run.returncode == 0 and run.stderr == ''
        assert (
            run.stdout.startswith('Usage: ')
            and f'tools/{name} CONFIG' in run.stdout
            or (f'tools/{name} PARTITION' in run.stdout)
        )
        assert re.search(rf'\nExample: .*tools/{name} \S', run.stdout)
