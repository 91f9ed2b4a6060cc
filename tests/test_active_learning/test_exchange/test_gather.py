"""Exports as a whole: whose they are, for which request, and what cannot be read."""

import json
import shutil

import numpy as np
import pytest
from exchange_runs import CLASSES, IDS, LABELS, SIZE, make_run, truth
from PIL import Image

from mmseg_tsf.active_learning import EXCHANGE_FORMATS
from mmseg_tsf.active_learning.exchange.answers import write_answers
from mmseg_tsf.active_learning.exchange.gather import read_exports
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.request import read_request
from mmseg_tsf.active_learning.exchange.tool_export import ToolExport
from mmseg_tsf.active_learning.exchange.votes import Agreement
from mmseg_tsf.utils.errors import UserError


def outcomes(kind, request, *paths, agreement=None) -> list:
    exports = [ToolExport(path) for path in paths]
    exchange_format = EXCHANGE_FORMATS.build(dict(type=kind))
    return list(read_exports(exports, exchange_format, request, LABELS, agreement))


def returned(kind, package):
    """What comes back from a tool in which nobody has changed anything."""
    if kind == 'label_studio':
        tasks = json.loads((package / 'tasks.json').read_text())
        for task in tasks:
            task['annotations'] = task.pop('predictions')
        (package.parent / 'export.json').write_text(json.dumps(tasks))
        return package.parent / 'export.json'
    if kind == 'masks':
        shutil.copytree(package / 'prelabels', package / 'masks', dirs_exist_ok=True)
        return package
    file = dict(cvat='annotations.xml', coco='annotations.json', labelme='images')[kind]
    return shutil.move(package / file, package.parent / file)


KINDS = ('cvat', 'coco', 'label_studio', 'labelme', 'masks')


@pytest.mark.parametrize('kind', KINDS)
def test_an_export_names_its_request_whatever_the_tool(kind, waiting, tmp_path):
    export_request(waiting, tmp_path / 'package', dict(type=kind))
    export = returned(kind, tmp_path / 'package')
    found = dict(outcomes(kind, waiting, export))
    assert set(found) == set(IDS) and all(found[i].labelled.any() for i in IDS)
    asked = {image_id: np.ones(SIZE, bool) for image_id in IDS}
    make_run(tmp_path / 'other', asked=asked)
    ((where, error),) = outcomes(kind, read_request(tmp_path / 'other'), export)[:1]
    assert where == str(export) and isinstance(error, UserError)
    assert 'request' in str(error) and 'waits for answers: import what was exported' in str(error)


def test_masks_in_a_folder_of_their_package_name_its_request(waiting, tmp_path):
    export_request(waiting, tmp_path / 'package', dict(type='masks'))
    masks = returned('masks', tmp_path / 'package') / 'masks'
    assert set(dict(outcomes('masks', waiting, masks))) == set(IDS)
    make_run(tmp_path / 'other', asked={image_id: np.ones(SIZE, bool) for image_id in IDS})
    ((_, error), *_) = outcomes('masks', read_request(tmp_path / 'other'), masks)
    assert 'belongs to the package of another request' in str(error)


def save(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)
    return path


def test_several_people_answer_one_request(waiting, tmp_path):
    second, third = truth('c').copy(), truth('c').copy()
    second[:4], third[:8] = (second[:4] + 1) % 4, (third[:8] + 2) % 4
    save(tmp_path / 'a/c.png', truth('c'))
    save(tmp_path / 'b/c.png', second)
    save(tmp_path / 'b/city/a.png', truth('city/a'))
    save(tmp_path / 'd/c.png', third)
    agreement = Agreement()
    people = (tmp_path / 'a', tmp_path / 'b', tmp_path / 'd')
    found = dict(outcomes('masks', waiting, *people, agreement=agreement))
    assert np.array_equal(found['city/a'].labels, truth('city/a'))
    assert (found['c'].labels[:4] == 255).all()  # all three differ
    assert np.array_equal(found['c'].labels[4:], truth('c')[4:])
    assert agreement == Agreement(32 * 40, 24 * 40, 4 * 40)


def test_all_faults_are_found_and_nothing_is_written(waiting, tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in/c.png').write_bytes(b'no PNG')
    save(tmp_path / 'in/city/a.png', np.zeros((3, 4), np.uint8))
    save(tmp_path / 'in/city/b.left.png', truth('city/b.left'))
    save(tmp_path / 'in/x.png', truth('c'))
    found = outcomes('masks', waiting, tmp_path / 'in')
    summary = write_answers(found, waiting, tmp_path / 'out', check=True)
    assert summary.written == ['city/b.left'] and summary.foreign == ['x.png']
    assert [fault.partition('in: ')[2] for fault in summary.faults] == [
        'c.png is not a complete PNG: export it again',
        'city/a.png is 4x3 pixels, its image 40x32: label the images of the package in their own '
        'size',
    ]
    with pytest.raises(UserError, match=r'c\.png is not a complete PNG: .* \(1 more faults: --ch'):
        write_answers(found, waiting, tmp_path / 'out')
    assert not (tmp_path / 'out').exists() and len(CLASSES) == 4
