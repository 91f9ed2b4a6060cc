"""The file that the page saves: what it says arrives, and nothing else is accepted."""

import json

import numpy as np
import pytest
from exchange_runs import IDS, LABELS, SIZE, few, write_json
from hypothesis import given
from hypothesis import strategies as st

from mmseg_tsf.active_learning.exchange.formats.page import PageFormat
from mmseg_tsf.active_learning.exchange.gather import read_exports
from mmseg_tsf.active_learning.exchange.page import saved
from mmseg_tsf.active_learning.exchange.tool_export import ToolExport
from mmseg_tsf.utils.errors import UserError


def content(runs=(1, 2, 3, 4, 1, 255), units=((1, 3, 2.5),), size=(3, 4), **changes):
    """A saved file about one image of 4x3 pixels."""
    image = dict(size=list(size), runs=list(runs), units=[list(unit) for unit in units])
    found = dict(format='mmseg_tsf annotate', version=1, request='d', round=3, annotator='Ada')
    found.update(saved='2026-01-01T00:00:00Z', classes=list(LABELS.names), images=dict(x=image))
    return {**found, **changes}


def read(found):
    text = found if isinstance(found, bytes) else json.dumps(found).encode()
    work = saved.read_saved_work(text, LABELS, 'f.json')
    return work, {image_id: work.labels(image_id, (3, 4)) for image_id in work.images}


def test_runs_become_labels_and_times():
    work, labels = read(content())
    expected = np.full(12, 255, np.uint8)
    labelled = np.zeros(12, bool)
    expected[1:3] = 3
    labelled[[1, 2, 7]] = True  # 255 is said, too
    assert np.array_equal(labels['x'].labels, expected.reshape(3, 4))
    assert np.array_equal(labels['x'].labelled, labelled.reshape(3, 4))
    assert (work.annotator, work.number, work.request) == ('Ada', 3, 'd')
    assert work.times('x', (3, 4)) == [saved.UnitTime(first=1, pixels=3, seconds=2.5)]


@pytest.mark.parametrize(
    ('found', 'message'),
    [
        (b'', 'is not JSON'),
        (json.dumps(content()).encode()[:-9], 'is not JSON'),
        (b'\xff\xfe', 'is not JSON'),
        (b'[' * 100_000, 'is nested too deeply'),
        ([], 'was not saved by annotate.html'),
        (dict(images={}), 'was not saved by annotate.html'),
        (content(version=2), 'has the version 2 of the format'),
        (content(request=None), 'does not say to which request it belongs'),
        (content(round='3'), 'does not say to which request it belongs'),
        (content(classes=['a']), r"has the classes \['a'\], the request"),
        (content(annotator=None), 'has no annotator or no images'),
        (content(images=[1]), 'has no annotator or no images'),
        (content(images=dict(y={})), 'f.json: y has no size'),
        (content(images=dict(x=[])), 'f.json: x has no labels'),
        (content(size=(4, 3)), 'f.json: x is 3x4 pixels, its image 4x3'),
        (content(size=(3,)), 'x has no size'),
        (content(size=('3', 4)), 'x has no size'),
        (content(runs=(1, 2)), 'x has runs that are not triples'),
        (content(runs=(1, 2.0, 3)), 'x has runs that are not triples'),
        (content(runs=(True, 2, 3)), 'x has runs that are not triples'),
        (content(runs=(1, 0, 3)), 'x has a run without pixels'),
        (content(runs=(-1, 2, 3)), 'x has a run without pixels'),
        (content(runs=(11, 2, 3)), 'x has runs that leave the image'),
        (content(runs=(0, 10**17, 3)), 'x has runs that leave the image'),
        (content(runs=(0, 10**30, 3)), 'x has runs that are not triples'),
        (content(runs=(0, 1, 4)), r'x has the class ids \[4\], but the classes are 0 to 3'),
        (content(runs=(0, 1, -1)), r'x has the class ids \[-1\]'),
        (content(units=[(1, 3)]), 'x has the unit .* without its time'),
        (content(units=[(1, 3, -1)]), 'x has the unit .* without its time'),
        (content(units=[(1, 3, float('nan'))]), 'x has the unit .* without its time'),
        (content(units=[(1, 3, 10**400)]), 'x has the unit .* without its time'),
        (content(units=[(1, 3, '1')]), 'x has the unit .* without its time'),
        (content(units=[(1, 12, 1)]), 'x has the unit .* that leaves the image'),
        (content(images=dict(x=dict(size=[3, 4], runs=[]))), 'x has the unit None'),
    ],
)
def test_what_the_page_would_not_save_is_refused(found, message):
    with pytest.raises(UserError, match=message):
        read(found)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@few
@given(st.sampled_from(['size', 'runs', 'units', None]), anything)
def test_nothing_but_a_user_error_comes_of_a_wrong_value(name, value):
    found = content()
    if name is None:
        found['images'] = value
    else:
        found['images']['x'][name] = value
    try:
        _, found = read(found)
    except UserError:
        return
    for labels in found.values():
        assert labels.labels[~labels.labelled].tolist() == [255] * int((~labels.labelled).sum())


def test_the_format_reads_a_file_and_a_folder_of_this_request(waiting, tmp_path):
    image = dict(size=list(SIZE), runs=[0, SIZE[0] * SIZE[1], 2], units=[])
    own = dict(request=waiting.digest, round=waiting.number)
    path = write_json(tmp_path / 'Ada.json', content(**own, images={i: image for i in IDS}))
    for export in (path, tmp_path):
        answers = dict(read_exports([ToolExport(export)], PageFormat(), waiting, LABELS))
        assert sorted(answers) == sorted(IDS)
        assert all((one.labels == 2).all() and one.labelled.all() for one in answers.values())
    write_json(path, content(**dict(own, request='e' * 64), images={IDS[0]: image}))
    ((_, error),) = read_exports([ToolExport(path)], PageFormat(), waiting, LABELS)
    assert 'was exported for the request round_000-eeeeeeee, but' in str(error)
    write_json(path, content(**own, images=dict(y=image)))
    assert list(read_exports([ToolExport(path)], PageFormat(), waiting, LABELS)) == [
        (f'{waiting.tag}/y', None)
    ]
