"""Requests go to annotation tools and come back, as the documentation says it."""

import json
import re
import shlex
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

import numpy as np
import pytest
from exchange_runs import (
    CLASSES,
    IDS,
    LABELS,
    SIZE,
    asked_masks,
    layers,
    make_run,
    segmentation_mask,
    truth,
)
from PIL import Image
from scipy import ndimage
from tool_loader import ROOT, load_tool

from mmseg_tsf.active_learning import ORACLES
from mmseg_tsf.active_learning.exchange.formats.coco import annotate, categories
from mmseg_tsf.active_learning.exchange.formats.cvat import add_mask, annotations
from mmseg_tsf.active_learning.exchange.formats.label_studio import brush
from mmseg_tsf.active_learning.exchange.shapes.outlines import cut_holes, outlines
from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.errors import UserError

TOOLS = {
    name: load_tool(f'active_learning/{name}.py') for name in ('export_requests', 'import_answers')
}


RUN = 'work_dirs/al'
ANSWERS = Path(RUN, 'annotation/round_000/answers')


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The rounds of a run that waits in ``work_dirs/al`` of the current folder."""
    monkeypatch.chdir(tmp_path)
    return make_run(tmp_path / RUN)


def said(image_id):
    """What people label: a little more than they were asked."""
    asked = asked_masks()[image_id]
    return truth(image_id), asked | np.roll(asked, 2, 1)


def cvat_export(path, package):
    segmentation_mask(path, {image_id: said(image_id) for image_id in IDS})


def cvat_xml(path, package):
    elements = []
    for image_id in IDS:
        size = dict(height=str(SIZE[0]), width=str(SIZE[1]))
        elements.append(Element('image', name=f'{image_id}.png', **size))
        for name, mask in layers(*said(image_id)):
            add_mask(elements[-1], name, mask)
    path.write_bytes(annotations(elements, LABELS))


def label_studio_export(path, package):
    tasks = json.loads((package / 'tasks.json').read_text())
    for task in tasks:
        result = [brush(name, mask) for name, mask in layers(*said(task['data']['image_id']))]
        task['annotations'] = [dict(id=1, was_cancelled=False, result=result)]
    path.write_text(json.dumps(tasks))


def coco_export(path, package):
    content = dict(images=[], categories=categories(LABELS), annotations=[])
    for number, image_id in enumerate(IDS):
        entry = dict(id=number, file_name=f'{image_id}.png', height=SIZE[0], width=SIZE[1])
        content['images'].append(entry)
        for name, mask in layers(*said(image_id)):
            one = annotate(len(content['annotations']), number, name, mask, LABELS)
            content['annotations'].append(one)
    path.write_text(json.dumps(content))


def page_export(path, package):
    content = json.loads((package / 'manifest.json').read_text())
    images = {}
    for image_id in IDS:
        labels, known = said(image_id)
        places = np.flatnonzero(known)
        runs = np.stack([np.diff(places, prepend=-1) - 1, 0 * places + 1, labels.flat[places]], 1)
        images[image_id] = dict(size=list(SIZE), runs=runs.ravel().tolist(), units=[])
    head = dict(format='mmseg_tsf annotate', version=1, annotator='Ada', classes=LABELS.names)
    head.update(request=content['request'], round=content['round'])
    path.write_text(json.dumps(dict(head, images=images)))


def masks_export(path, package):
    for image_id in IDS:
        file = package / f'masks/{image_id}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        labels, known = said(image_id)
        Image.fromarray(np.where(known, labels, 255).astype(np.uint8)).save(file)


def labelme_export(path, package):
    for image_id in IDS:
        (file,) = path.rglob(f'{image_id}.json')
        content = json.loads(file.read_text())
        content['shapes'] = [
            dict(label=name, shape_type='polygon', points=ring.tolist())
            for name, mask in layers(*said(image_id))
            for ring in map(cut_holes, parts_of(mask))
        ]
        file.write_text(json.dumps(content))


def parts_of(mask):
    labels, num = ndimage.label(mask)
    return [outlines(labels == i) for i in range(1, num + 1)]


EXPORTS = dict(
    cvat=cvat_export,
    page=page_export,
    label_studio=label_studio_export,
    coco=coco_export,
    masks=masks_export,
    labelme=labelme_export,
)


def documented() -> list[list[str]]:
    """Arguments of our two tools in the documentation, in order."""
    text = (ROOT / 'docs/people_in_the_loop.md').read_text()
    blocks = re.findall(r'```bash\n(.*?)```', text, re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def oracle_of(work_dir):
    oracle = ORACLES.build(dict(type='FolderOracle'))
    dataset = dict(
        type='BaseSegDataset',
        metainfo=dict(classes=CLASSES, palette=[[i, 0, 0] for i in range(len(CLASSES))]),
        img_suffix='.png',
        data_prefix=dict(img_path=str(work_dir / 'pool')),
    )
    oracle.bind(dataset, work_dir, len(CLASSES))
    return oracle


def check_answers(store):
    """FolderOracle takes the answers, and they are what people said of what was asked."""
    found = list(oracle_of(Path(RUN)).answer(store.request(0), None))
    assert [image_id for image_id, _, _ in found] == list(store.request(0).images)
    for image_id, labels, notes in found:
        expected = np.where(asked_masks()[image_id], truth(image_id), 255)
        assert np.array_equal(labels, expected)
        assert notes == dict(dropped=0, unlabelled=0)


def take(*arguments):
    return TOOLS['import_answers'].main([RUN, *arguments])


def hand_out(*arguments):
    return TOOLS['export_requests'].main([RUN, *arguments])


def test_every_documented_command_does_what_it_says(store):
    packages, written = {}, []
    for program, path, *arguments in documented():
        assert program == 'python' and (ROOT / path).is_file()
        name, kind = Path(path).stem, arguments[arguments.index('--format') + 1]
        if name == 'export_requests':
            packages[kind] = Path(arguments[arguments.index('-o') + 1])
        else:
            for export in arguments[1 : arguments.index('--format')]:
                EXPORTS[kind](Path(export), packages[kind])
        result = TOOLS[name].main(arguments)
        if name == 'import_answers':
            written.append((kind, len(result.written), len(result.kept)))
            assert not result.missing and not result.unlabelled and result.dropped > 0
    again = (
        'cvat',
        'cvat',
        'page',
        'label_studio',
        'coco',
        'masks',
        'labelme',
    )  # --check, several people
    assert written == [('cvat', 3, 0), *((kind, 0, 3) for kind in again)]
    check_answers(store)


def test_an_xml_export_is_read_into_the_folder_of_the_round(store):
    cvat_xml(Path('annotations.xml'), None)
    folder = str(ANSWERS.parent)
    TOOLS['import_answers'].main([folder, 'annotations.xml', '--format', 'cvat'])
    check_answers(store)


def test_part_of_the_answers_is_taken_and_the_rest_is_named(store, capsys):
    labels, known = said('city/a')
    known = known.copy()
    known[:10] = False
    segmentation_mask(Path('a.zip'), {'city/a': (labels, known), 'other': said('c')})
    take('a.zip', '--format', 'cvat')
    asked = asked_masks()['city/a']
    dropped, unlabelled = int((known & ~asked).sum()), int((asked & ~known).sum())
    assert capsys.readouterr().out.splitlines() == [
        f'{ANSWERS}: 1 answers written, 0 replaced, 0 unchanged',
        f'dropped, because not requested: {dropped} labelled pixels',
        '1 images or files belong to no requested image:',
        '  other.png',
        f'{unlabelled} requested pixels of 1 images have no label (city/a): they will be charged '
        'as "cannot be said", unless they are labelled and imported with --overwrite before the '
        'training is resumed',
        '2 of 3 images are not answered (c, city/b.left)',
    ]
    found = oracle_of(Path(RUN)).answer(store.request(0), None)
    assert '2 of 3 answers are missing' in found.message
    segmentation_mask(Path('b.zip'), {image_id: said(image_id) for image_id in IDS})
    with pytest.raises(UserError, match=r'city/a\.png \(1 in all\) holds another answer'):
        take('b.zip', '--format', 'cvat')
    assert [p.name for p in ANSWERS.rglob('*.png')] == ['a.png']
    assert len(take('b.zip', '--format', 'cvat', '--overwrite').replaced) == 1
    check_answers(store)


def test_what_cannot_be_said_is_a_number(store, capsys):
    masks = asked_masks()
    for image_id, mask in masks.items():
        Path('masks', image_id).parent.mkdir(parents=True, exist_ok=True)
        labels = np.where(np.arange(mask.size).reshape(mask.shape) % 3, 2, 255).astype(np.uint8)
        Image.fromarray(labels).save(f'masks/{image_id}.png')
    take('masks', '--format', 'masks')
    numbers = [(np.flatnonzero(mask) % 3 == 0).sum() for mask in masks.values()]
    void, total = sum(numbers), sum(mask.sum() for mask in masks.values())
    said = f'{void:,} of {total:,} labelled pixels ({100 * void / total:.1f} %) are 255'
    out = capsys.readouterr().out
    assert said in out and 'all others are 2: if 255 stands for a class, write' in out


def test_shapes_that_are_not_read_or_broken_are_named(store, capsys):
    element = Element('image', name='c.png', height=str(SIZE[0]), width=str(SIZE[1]))
    SubElement(element, 'skeleton', label='car')
    SubElement(element, 'polygon', label='car', points='1,1;nan,5;9,9')
    Path('a.xml').write_bytes(annotations([element], LABELS))
    with pytest.raises(UserError, match=r'a\.xml has no label inside of the request: label it'):
        take('a.xml', '--format', 'cvat')
    SubElement(element, 'box', label='car', xtl='1', ytl='1', xbr='9', ybr='9')
    Path('a.xml').write_bytes(annotations([element], LABELS))
    take('a.xml', '--format', 'cvat')
    text = capsys.readouterr().out
    assert 'ignored: 1 shapes of the kind skeleton\n' in text
    assert (
        'skipped, because broken: 1 shapes of the kind polygon (a coordinate is not a number)\n'
        '1 images have broken shapes (c): their pixels have no label from them\n'
    ) in text
    assert [path.name for path in ANSWERS.rglob('*.png')] == ['c.png']


def test_an_import_that_fits_nothing_fails_and_says_what_the_names_are(store, capsys):
    segmentation_mask(Path('a.zip'), {f'other/{i}': said('c') for i in range(30)})
    message = r'a\.zip has no label of a requested image: it names other/0\.png, .* must be kept'
    with pytest.raises(UserError, match=message):
        take('a.zip', '--format', 'cvat')
    shown = capsys.readouterr().out.splitlines()
    assert shown[1] == '30 images or files belong to no requested image:' and len(shown) == 24
    with pytest.raises(UserError, match=message):
        take('a.zip', '--format', 'cvat', '--check')
    assert len(capsys.readouterr().out.splitlines()) == 33
    nothing = np.zeros(SIZE, bool)
    nothing[0, 0] = True
    segmentation_mask(Path('a.zip'), {'city/a': (truth('city/a'), nothing)})
    with pytest.raises(UserError, match=r'a\.zip: all labels lie outside of the request .* city/a'):
        take('a.zip', '--format', 'cvat')


def test_a_check_lists_all_faults_and_writes_nothing(store, capsys):
    masks_export(None, Path('package'))
    assert take('package/masks', '--format', 'masks', '--check').written == sorted(IDS)
    assert '3 answers would be written' in capsys.readouterr().out
    Path('package/masks/c.png').write_bytes(b'')
    Image.new('L', (3, 4)).save('package/masks/city/a.png')
    with pytest.raises(UserError, match='2 faults were found, and nothing was written'):
        take('package/masks', '--format', 'masks', '--check')
    shown = capsys.readouterr().out
    assert 'fault: package/masks: c.png is not a complete PNG' in shown
    assert 'fault: package/masks: city/a.png is 3x4 pixels, its image 40x32' in shown
    assert not list(ANSWERS.rglob('*.png'))


def test_several_people_are_joined_and_their_agreement_is_printed(store, capsys):
    labels = truth('c')
    for name in ('anna', 'ben', 'carla'):
        Path(name).mkdir()
        Image.fromarray(labels).save(f'{name}/c.png')
    Image.fromarray(np.where(np.indices(SIZE)[0] < 8, 3 - labels, labels)).save('ben/c.png')
    take('anna', 'ben', 'carla', '--format', 'masks')
    text = '3 people agree on 75.0 % of the 1,280 pixels that several of them labelled; 0 pixels'
    assert text in capsys.readouterr().out
    assert np.array_equal(np.asarray(Image.open(ANSWERS / 'c.png')), labels)
    with pytest.raises(UserError, match='an export is given twice: give one for each person'):
        take('anna', 'ben', './anna', '--format', 'masks')


def test_what_is_handed_out_is_summed_up(store, capsys):
    hand_out('--format', 'masks', '-o', 'package', '--join', '3', '--min-pixels', '4')
    text = ' '.join(capsys.readouterr().out.split())
    assert 'package: round 0, 3 images, 3 regions and 3 single pixels with 1,' in text
    assert 'clicks; continue with package/README.txt' in text
    assert '2 requested pixels lie in islands of fewer than 4 pixels and are not shown' in text


def test_images_can_be_served_from_another_address(store):
    hand_out('--format', 'label_studio', '-o', 'ls', '--image-url', 'http://host/')
    tasks = json.loads(Path('ls/tasks.json').read_text())
    assert tasks[0]['data']['image'] == 'http://host/c.png'


@pytest.mark.parametrize(
    ('name', 'arguments', 'message'),
    [
        ('export_requests', ['nowhere', '--format', 'coco', '-o', 'x'], 'holds neither rounds/'),
        ('export_requests', [RUN, '--format', 'coco', '-o', RUN], 'exists already'),
        ('export_requests', [RUN, '--format', 'coco', '-o', 'x', '--round', '4'], 'no round 4'),
        ('import_answers', [RUN, 'nothing.zip', '--format', 'cvat'], 'nothing.zip is missing'),
        ('import_answers', [RUN, 'broken.json', '--format', 'coco'], 'is not JSON'),
    ],
)
def test_mistakes_end_in_one_sentence(store, capsys, name, arguments, message):
    Path('broken.json').write_text('{')
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: TOOLS[name].main(arguments))
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ') and message in line


@pytest.mark.parametrize(
    'arguments', [['--min-pixels', '-1'], ['--join', 'far'], ['--image-url', 'http://host/']]
)
def test_wrong_options_are_refused(store, capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        hand_out('--format', 'coco', '-o', 'x', *arguments)
    assert stopped.value.code == 2 and arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize('name', list(TOOLS))
def test_help_shows_an_example(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        TOOLS[name].main(['--help'])
    assert stopped.value.code == 0
    assert f'    python tools/active_learning/{name}.py work_dirs/<run>' in capsys.readouterr().out
