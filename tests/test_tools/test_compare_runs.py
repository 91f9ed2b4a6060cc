"""Comparison of run folders."""

import json

import pytest

from mmseg_tsf.utils.errors import UserError
from tools import compare_runs


def write_run(folder, decay: float, miou: dict[int, float]):
    vis = folder / '2026' / 'vis_data'
    vis.mkdir(parents=True)
    (folder / 'mt_tiny.py').write_text(
        f"work_dir = '{folder}'\nmodel = dict(type='MeanTeacher', ramp=(0.0, 0.1))\n"
        f"custom_hooks = [dict(type='SemiHook'), dict(type='MeanTeacherHook', decay={decay})]\n"
    )
    lists = dict(labelled=dict(ann_file='labelled.txt', images=5))
    info = dict(seed=3, commit='abc', lists=lists, config='configs/mt_tiny.py')
    info['networks'] = ['teacher', 'student']
    (folder / 'run_info.json').write_text(json.dumps(info))
    lines = [dict(loss=1.0, step=1)]
    lines += [{'teacher/mIoU': v, 'student/mIoU': v + 1, 'step': k} for k, v in miou.items()]
    (vis / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    return str(folder)


def test_only_what_differs_is_shown_beside_the_validations(tmp_path):
    slow = write_run(tmp_path / 'slow', 0.99, {10: 1.0, 20: 2.0})
    fast = write_run(tmp_path / 'fast', 0.9, {20: 3.0})
    section = compare_runs.main([slow, fast, '--title', 'Decay'])
    assert 'Validation mIoU (teacher / student) by iteration; 5 labelled images' in section
    rows = [line.split(' | ') for line in section.splitlines() if line.startswith('| ')]
    assert rows[0] == ['| run', '`custom_hooks.1.decay`', 'seed', '10', '20', 'commit |']
    assert rows[2] == ['| slow', '0.99', '3', '1.0 / 2.0', '2.0 / 3.0', 'abc |']
    assert rows[3] == ['| fast', '0.9', '3', '–', '3.0 / 4.0', 'abc |']


def test_a_table_replaces_the_one_with_its_title(tmp_path):
    out = tmp_path / 'tried.md'
    first = write_run(tmp_path / 'first', 0.9, {10: 1.0})
    for title, folder in (('A', first), ('B', first)):
        compare_runs.main([folder, '--title', title, '-o', str(out)])
    second = write_run(tmp_path / 'second', 0.9, {10: 7.0})
    compare_runs.main([second, '--title', 'A', '-o', str(out)])
    text = out.read_text()
    assert text.count('\n## A\n') == text.count('\n## B\n') == 1
    assert text.index('## A') < text.index('7.0 / 8.0') < text.index('## B')
    assert text.count('first') == 1


def test_folders_without_a_validated_run_are_rejected(tmp_path):
    with pytest.raises(UserError, match='is not the folder of a run'):
        compare_runs.main([str(tmp_path), '--title', 'A'])
    empty = write_run(tmp_path / 'empty', 0.9, {})
    with pytest.raises(UserError, match='was never validated'):
        compare_runs.main([empty, '--title', 'A'])
