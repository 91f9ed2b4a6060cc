"""Reading the folder of a run, and rejecting incomplete ones."""

import json

import exploits
import pytest
from made_up_runs import write_run_info
from tool_loader import load_tool

from mmseg_tsf.reporting.run_reader import (
    last_score,
    read_json,
    read_label_quality,
    read_scalars,
)
from mmseg_tsf.reporting.sections.curves import measured
from mmseg_tsf.utils.errors import UserError


def write_scalars(folder, when, *entries):
    path = folder / when / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(e if isinstance(e, str) else json.dumps(e) for e in entries))


def test_the_later_entry_of_a_repeated_step_counts(tmp_path):
    validated = {'teacher/mIoU': 40.0, 'step': 20}
    first = [{'loss': 1.0, 'step': 10}, {'loss': 2.0, 'step': 20}, validated, '{"loss": 3.0, "st']
    write_scalars(tmp_path, '20300101', *first)
    write_scalars(tmp_path, '20300102', {'loss': 2.5, 'step': 20}, {'loss': 3.5, 'step': 30})
    training, validations = read_scalars(tmp_path)
    assert [(e['step'], e['loss']) for e in training] == [(10, 1.0), (20, 2.5), (30, 3.5)]
    assert validations == [validated]
    assert read_scalars(tmp_path / 'nothing') == ([], [])


def test_the_last_score_is_measured_at_the_end(tmp_path):
    write_run_info(tmp_path, max_iters=20)
    write_scalars(tmp_path, '20300101', {'teacher/mIoU': 40.0, 'step': 10})
    with pytest.raises(UserError, match='no teacher/mIoU at iteration 20'):
        last_score(tmp_path)
    test = dict(checkpoint='iter_10.pth', metrics={'teacher/mIoU': 39.0})
    (tmp_path / 'test_metrics.json').write_text(json.dumps(test))
    with pytest.raises(UserError, match='validate or test it there'):
        last_score(tmp_path)
    (tmp_path / 'test_metrics.json').write_text(json.dumps(dict(test, checkpoint='iter_20.pth')))
    assert last_score(tmp_path) == (39.0, 'as tested')
    write_scalars(tmp_path, '20300102', {'teacher/mIoU': 41.0, 'step': 20})
    assert last_score(tmp_path) == (41.0, 'at its end')


def test_label_quality_is_what_the_hook_logged(made_up):
    (found,) = read_label_quality(made_up)
    assert found.pop('errors_inside') != found.get('errors_inside')  # not a number
    assert found == {'iter': 60, 'before.accuracy': 61.5}


def test_metrics_come_from_rounds_or_validations_or_the_test():
    lines = [dict(round=0, metrics={'m': 1.0}), dict(round=1, state='finished')]
    validations, tested = [{'m': 2.0, 'step': 4000}], {'m': 3.0}
    assert measured(lines, validations, tested) == [('Round 0', {'m': 1.0}), ('End', {})]
    assert measured([], validations, tested) == [('4,000', validations[0])]
    assert measured([], [], tested) == [('Test', tested)]
    assert measured([], [], {}) == []


@pytest.mark.parametrize(
    'content, sentence',
    [
        (None, 'runs.json does not exist: give a file'),
        (b'{"runs": [', r'runs.json is damaged, it is no JSON \(.*\): give a file'),
        (b'\xff', 'runs.json is damaged'),
        (b'[]', 'runs.json holds no JSON object: give a file'),
    ],
)
def test_a_json_file_that_cannot_be_read_is_named(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / 'runs.json').write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        read_json(tmp_path / 'runs.json', 'give a file')


READERS = {
    'report.py': ['-o', 'page'],
    'results_table.py': ['-o', 'out.md', '--json', 'out.json'],
    'compare_runs.py': ['--title', 'x'],
    'active_learning/curves.py': ['-o', 'curves'],
    'analysis/label_quality.py': [],
}
"""Tools that read the folder of a run, and further arguments."""


@pytest.mark.parametrize('name', READERS)
@pytest.mark.parametrize('way', ['call', 'base', 'import'])
def test_no_tool_runs_the_code_that_a_run_names(name, way, own_made_up, tmp_path, monkeypatch):
    marker = tmp_path / 'marker'
    (own_made_up / 'evil.py').write_text(exploits.codes(marker)[way])
    (own_made_up / 'evil_base.py').write_text(exploits.codes(marker)['call'])
    write_run_info(own_made_up, config='somewhere/evil.py')
    (own_made_up / 'iter_90.pth').touch()
    tested = dict(checkpoint='iter_90.pth', metrics={'teacher/mIoU': 1.0})
    (own_made_up / 'test_metrics.json').write_text(json.dumps(tested))
    monkeypatch.chdir(tmp_path)
    refused = 'nothing was written' if name == 'results_table.py' else 'evil.py holds code'
    with pytest.raises(UserError, match=refused):
        load_tool(name).main([str(own_made_up), *READERS[name]])
    assert not marker.exists()


def test_no_function_is_called_that_a_run_names(own_made_up, tmp_path):
    marker = tmp_path / 'marker'
    evil = dict(type='subprocess.check_call', args=['touch', str(marker)])
    loader = dict(dataset=dict(labelled=evil, unlabelled=evil))
    text = f'train_dataloader = {loader!r}\nmodel = {evil!r}\n'
    (own_made_up / 'made_up.py').write_text(text)
    (own_made_up / 'iter_90.pth').touch()
    load_tool('report.py').main([str(own_made_up)])  # with the safe palette
    with pytest.raises(UserError, match="type='subprocess.check_call'"):
        load_tool('analysis/label_quality.py').main([str(own_made_up)])
    assert not marker.exists()
