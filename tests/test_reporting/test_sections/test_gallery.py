"""Pictures of a round: their contents, and that they are drawn only once."""

import re
import shutil

import numpy as np
import pytest
from made_up_runs import NAMES
from PIL import Image

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.active_learning.selection.clicks import class_counts
from mmseg_tsf.reporting.page import write_report
from mmseg_tsf.reporting.run_reader import read_config
from mmseg_tsf.reporting.sections.gallery import (
    ERROR_COLOURS,
    REQUEST_COLOUR,
    PoolData,
    draw_round,
    tidy,
)
from mmseg_tsf.reporting.snapshots import most_asked


@pytest.fixture
def draw(own_made_up, tmp_path):
    """Draws round 1 of a run and returns its description."""

    def work(limit=12, run=own_made_up):
        data = PoolData(NAMES, read_config(run, 'made_up.py'))
        store = RoundStore(run / 'rounds')
        return draw_round(run, store, 1, data, tmp_path / 'out', limit)

    return work


def pixels(path):
    return np.asarray(Image.open(path).convert('RGBA'))


def test_layers_show_the_stored_labels(draw, own_made_up, tmp_path):
    store, panel = RoundStore(own_made_up / 'rounds'), draw()['panels'][0]
    image_id = most_asked(store, 1, 1)[0]
    assert panel['id'] == image_id and panel['size'] == [40, 48]
    assert (panel['known'], panel['wrong']) == (20, 6)
    assert set(panel['layers']) == {'image', 'pseudo', 'errors', 'refined', 'request', 'answer'}
    shown = {k: [pixels(tmp_path / 'out' / f) for f in v] for k, v in panel['layers'].items()}
    asked = store.request(1).mask(image_id)
    (request,) = shown['request']
    assert np.array_equal(request[..., 3] > 0, asked) and (request[asked, :3] == 255).all()
    assert REQUEST_COLOUR.tolist() == [[255, 255, 255]]
    answer, safe = shown['answer']
    labels = store.answer(1).labels(image_id)
    palettes = PoolData(NAMES, read_config(own_made_up, 'made_up.py'))
    assert np.array_equal(answer[asked, :3], palettes.palette[labels[asked]])
    assert np.array_equal(safe[asked, :3], palettes.safe_palette[labels[asked]])
    assert palettes.palette.tolist()[0] == [200, 0, 0]
    (errors,) = shown['errors']
    colours = np.unique(errors[errors[..., 3] > 0][:, :3], axis=0).tolist()
    assert colours == sorted(ERROR_COLOURS.tolist())
    assert panel['classes'] == store.answer(1).images[image_id]['classes']


def test_most_asked_come_first_and_no_more_than_the_limit(draw, own_made_up):
    amounts = [panel['pixels'] for panel in draw(limit=3)['panels']]
    notes = RoundStore(own_made_up / 'rounds').request(1).images.values()
    assert amounts == sorted((note['pixels'] for note in notes), reverse=True)[:3]
    assert draw(limit=0)['panels'] == []


def test_pictures_are_drawn_once_and_again_when_something_changed(draw, own_made_up, tmp_path):
    draw()
    folder = tmp_path / 'out/img/round_001'
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert draw()['snapshot'] is True
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    shutil.rmtree(own_made_up / 'report_data')
    info = draw()
    assert info['snapshot'] is False and info['quality'] == {}
    assert set(info['panels'][0]['layers']) == {'image', 'request', 'answer'}
    (folder / 'panels.json').write_text('{')  # by a crash of the machine
    assert draw() == info


def test_an_amended_answer_is_drawn_anew_and_counted_on_the_page(draw, own_made_up, tmp_path):
    draw()
    store = RoundStore(own_made_up / 'rounds')
    image_id = most_asked(store, 1, 1)[0]
    asked = store.request(1).mask(image_id)
    before = store.answer(1).labels(image_id)
    labels = np.where(asked, (before + 1) % 3, 255)  # also where it could not be said
    notes = dict(classes=class_counts(labels, len(NAMES)))
    store.write_amendment(1, [(image_id, labels, notes)], dict(who='people'))
    panel = draw()['panels'][0]
    shown = pixels(tmp_path / 'out' / panel['layers']['answer'][0])
    palette = PoolData(NAMES, read_config(own_made_up, 'made_up.py')).palette
    assert np.array_equal(shown[asked, :3], palette[labels[asked]])
    assert panel['classes'] == notes['classes'] != class_counts(before, len(NAMES))
    cells = re.findall(r'<td>([^<]*amended)</td>', write_report(own_made_up, tmp_path).read_text())
    assert len(cells) == 1 and cells[0].endswith(', 1 amended')


def test_without_the_images_the_rest_is_shown(draw, own_made_up, tmp_path):
    shutil.rmtree(own_made_up / 'report_data')
    shutil.move(tmp_path / 'made_up_data/img', tmp_path / 'elsewhere')
    assert set(draw()['panels'][0]['layers']) == {'request', 'answer'}
    shutil.move(tmp_path / 'elsewhere', tmp_path / 'made_up_data/img')
    assert 'image' in draw()['panels'][0]['layers']


def test_a_request_without_answer_is_shown(draw, own_made_up):
    shutil.rmtree(own_made_up / 'report_data')
    shutil.rmtree(own_made_up / 'rounds/round_001/answer')
    panel = draw()['panels'][0]
    assert set(panel['layers']) == {'image', 'request'} and panel['classes'] == []


def test_pictures_of_removed_rounds_are_removed(draw, tmp_path):
    draw()
    foreign = tmp_path / 'out/img/notes.txt'
    foreign.write_text('')
    tidy(tmp_path / 'out', [1])
    assert (tmp_path / 'out/img/round_001').is_dir()
    tidy(tmp_path / 'out', [])
    assert [path.name for path in (tmp_path / 'out/img').iterdir()] == ['notes.txt']
    assert foreign.exists()


def test_a_config_that_cannot_be_built_gets_safe_colours():
    data = PoolData(['a', 'b'], None)
    assert data.dataset is None and np.array_equal(data.palette, data.safe_palette)


def test_images_are_found_by_the_data_sets_own_suffix(made_up):
    data = PoolData(NAMES, read_config(made_up, 'made_up.py'))
    assert data.path('town/0000') == made_up.parent / 'made_up_data/img/town/0000.png'
    assert data.path('town/0000').is_file()
