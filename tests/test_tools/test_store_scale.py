"""The benchmark of large stores says what it promises; its figures mean nothing at this size."""

import json

import pytest
from tool_loader import load_tool

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.utils.errors import UserError

TOOL = load_tool('benchmark/store_scale.py')


def test_every_time_is_measured_and_nothing_is_left(tmp_path, monkeypatch):
    checked, original = [], TOOL.export_listing

    def look(folder, images):
        store = RoundStore(folder / 'rounds')
        index = store.index()
        checked.extend([store.answered(), store.label_problems(), list(index)])
        return original(folder, images)

    monkeypatch.setattr(TOOL, 'export_listing', look)
    options = ['--images', '60', '--rounds', '6', '--exported', '5']
    args = [*options, '--work-dir', str(tmp_path / 'new'), '--json', str(tmp_path / 'times.json')]
    result = TOOL.main(args)
    numbers, problems, images = checked
    assert numbers == list(range(6)) and problems == []
    assert images == [TOOL.image_id(place) for place in range(60)]
    assert result == json.loads((tmp_path / 'times.json').read_text())
    for name in ('fold', 'fold_anew', 'fold_check', 'index', 'check_rounds', 'export_listing'):
        assert result[name]['clock'] >= 0 and result[name]['processor'] >= 0
    assert [path.name for path in tmp_path.iterdir()] == ['times.json']


def test_a_folder_that_exists_is_left_alone(tmp_path):
    with pytest.raises(UserError, match='exists: give a new folder'):
        TOOL.main(['--work-dir', str(tmp_path)])
    assert tmp_path.is_dir()
