"""The tool that kills runs: one run killed and resumed, and what it would find."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmseg_tsf.utils.errors import UserError

ROOT = Path(__file__).parents[2]
TOOL = 'tools/benchmark/kill_resume.py'


def load_tool():
    spec = importlib.util.spec_from_file_location('kill_resume', ROOT / TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_moments_are_drawn_evenly_over_their_kinds():
    kinds = ['step'] * 50 + ['rename'] * 4 + ['answer']
    drawn = load_tool().draw_moments(kinds, 8, seed=1)
    assert len(set(drawn)) == 8
    counts = {kind: sum(kinds[i] == kind for i in drawn) for kind in set(kinds)}
    assert counts['answer'] == 1 and min(counts['step'], counts['rename']) >= 3
    assert drawn == load_tool().draw_moments(kinds, 8, seed=1)
    assert drawn != load_tool().draw_moments(kinds, 8, seed=2)


def test_every_difference_is_found():
    same = dict(weights={'w': torch.ones(2)}, rounds=[1], problems=[], spent={'pixels': 3})
    differences = load_tool().differences
    assert differences(same, dict(same)) == []
    for key, value, sentence in (
        ('weights', {'w': torch.tensor([1, 1 + 1e-6])}, 'weights differ'),
        ('weights', {}, 'weights differ'),
        ('rounds', [2], 'requests or labels differ'),
        ('spent', {'pixels': 4}, 'the budget spent differs'),
        ('problems', ['x is missing'], 'x is missing'),
    ):
        assert differences(same, {**same, key: value}) == [sentence]


def test_a_folder_of_others_is_not_emptied(tmp_path):
    tool = load_tool()
    (tmp_path / 'labels.png').touch()
    with pytest.raises(UserError, match='holds other files: give another --work-dir'):
        tool.empty(tmp_path)
    assert (tmp_path / 'labels.png').exists()
    tool.empty(tmp_path / 'new')
    (tmp_path / 'new/whole').mkdir()
    tool.empty(tmp_path / 'new')
    assert [path.name for path in (tmp_path / 'new').iterdir()] == [tool.MARK]


def test_a_killed_run_ends_as_it_would_have(tmp_path):
    command = [sys.executable, TOOL, '--kills', '1', '--seed', '3', '--work-dir', str(tmp_path)]
    env = dict(os.environ, CUDA_VISIBLE_DEVICES='')
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[-1] == '1 survived, 0 lost'
    assert re.match(r' *0 killed rank 0 (before|after) .* \(\d+ of \d+\): same', lines[-2])
