"""People who answer by files: what they get, and what is made of what they give."""

import io
import json
import os

import numpy as np
import pytest
from PIL import Image
from tiny_runs import CLASSES, part_cfg

from mmseg_tsf.active_learning import ORACLES, RoundStore, StoreError
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.pictures import INNER, OUTER, outline
from mmseg_tsf.active_learning.exchange.request import RequestFolder
from mmseg_tsf.active_learning.oracles import folder
from mmseg_tsf.active_learning.oracles.base import Pending
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.files import sha256

SIZE = (40, 48)


@pytest.fixture
def masks():
    masks = {f'frame_{i}': np.zeros(SIZE, bool) for i in (5, 6, 7, 8)}
    for i, mask in enumerate(masks.values()):
        mask[4 : 6 + i, 10:20] = True
    return masks


@pytest.fixture
def part(masks, tmp_path):
    items = ((image_id, mask, {}) for image_id, mask in masks.items())
    return RoundStore(tmp_path / 'rounds').write_request(0, items, {})


@pytest.fixture
def root(tmp_path):
    return tmp_path / 'annotation/round_000'


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(folder, 'print_log', lambda text, *_: lines.append(text))
    return lines


@pytest.fixture
def oracle(data_root, tmp_path):
    return bind(data_root, tmp_path)


def bind(data_root, work_dir, **options):
    oracle = ORACLES.build(dict(type='FolderOracle', **options))
    oracle.bind(part_cfg(data_root, 'unlabelled.txt'), work_dir, len(CLASSES))
    return oracle


def predict(image_id):
    return np.full(SIZE, int(image_id[-1]) % 4, np.uint8)


def never(image_id):
    raise AssertionError('predicted again')


def read(path):
    return np.asarray(Image.open(path))


def give(root, image_id, labels, **options):
    Image.fromarray(labels).save(root / f'answers/{image_id}.png', **options)


def give_all(root, masks):
    for i, (image_id, mask) in enumerate(masks.items()):
        give(root, image_id, np.where(mask, i, 255).astype(np.uint8))


def test_people_find_everything_they_need(oracle, part, masks, root, data_root):
    found = oracle.answer(part, predict)
    assert isinstance(found, Pending)
    assert f'4 of 4 answers are missing in {root}/answers' in found.message
    assert '(frame_5.png, frame_6.png, frame_7.png, ...)' in found.message
    assert 'README.txt, then start again with --resume' in found.message
    for image_id, mask in masks.items():
        assert np.array_equal(
            read(root / f'images/{image_id}.png'), read(data_root / f'img/{image_id}.png')
        )
        assert np.array_equal(read(root / f'requests/{image_id}.png'), mask * 255)
        expected = np.where(mask, predict(image_id), 255)
        assert np.array_equal(read(root / f'prelabels/{image_id}.png'), expected)
        drawn = read(root / f'outlines/{image_id}.png')
        assert np.array_equal(drawn[mask], read(data_root / f'img/{image_id}.png')[mask])
        assert drawn[3, 10].tolist() == list(INNER[::-1])
        assert drawn[2, 10].tolist() == list(OUTER[::-1])
    assert list((root / 'answers').iterdir()) == []
    readme = (root / 'README.txt').read_text()
    assert readme.startswith('Round 0: 140 pixels in 4 images need labels.')
    assert all(f'{i:5d}  {name}\n' in readme for i, name in enumerate(CLASSES))
    manifest = json.loads((root / 'manifest.json').read_text())
    assert manifest['classes'] == {str(i): name for i, name in enumerate(CLASSES)}
    digest = sha256(data_root / 'img/frame_5.png')
    assert manifest['images']['frame_5'] == dict(size=list(SIZE), sha256=digest)


def test_people_see_a_turned_photograph_as_the_pipeline_shows_it(own_data_root, tmp_path):
    """Also in the package of a tool, whatever the viewer makes of EXIF data."""
    path, rng = own_data_root / 'img/frame_5.png', np.random.default_rng(0)
    stored, exif = rng.integers(0, 256, (48, 40, 3), np.uint8), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(path, exif=exif)
    mask = np.zeros(SIZE, bool)
    mask[3:9, 20:40] = True
    store = RoundStore(tmp_path / 'rounds')
    part = store.write_request(0, [('frame_5', mask, {})], {})
    bind(own_data_root, tmp_path).answer(part, predict)
    root = tmp_path / 'annotation/round_000'
    shown = np.rot90(stored, -1)
    with Image.open(root / 'images/frame_5.png') as image:
        assert 0x0112 not in image.getexif()
        assert np.array_equal(np.asarray(image), shown)
    assert np.array_equal(read(root / 'outlines/frame_5.png')[mask], shown[mask])
    export_request(RequestFolder(root), tmp_path / 'package', dict(type='masks'))
    assert np.array_equal(read(tmp_path / 'package/images/frame_5.png'), shown)


def test_two_classes_of_one_name_are_refused_before_anything_is_asked(data_root, tmp_path):
    oracle = ORACLES.build(dict(type='FolderOracle'))
    dataset = part_cfg(data_root, 'unlabelled.txt')
    dataset['metainfo'] = dict(classes=('a', 'b', 'a', 'c'), palette=[[i, 0, 0] for i in range(4)])
    with pytest.raises(UserError, match='the class name a occurs twice'):
        oracle.bind(dataset, tmp_path, 4)


def test_outlines_stay_off_what_is_asked_and_show_on_any_size():
    image = np.full((1200, 1600, 3), 90, np.uint8)
    asked = np.zeros((1200, 1600), bool)
    asked[600, 800] = True
    drawn = outline(image, asked)
    assert drawn[600, 800].tolist() == [90] * 3
    colours = [tuple(drawn[600, 800 + d].tolist()) for d in range(1, 8)]
    assert colours == [INNER] * 3 + [OUTER] * 3 + [(90, 90, 90)]


def test_it_is_asked_once(oracle, part, root, tmp_path):
    oracle.answer(part, predict)
    written = (root / 'README.txt').stat().st_mtime_ns
    assert isinstance(oracle.answer(part, never), Pending)
    assert (root / 'README.txt').stat().st_mtime_ns == written
    assert [p.name for p in root.parent.iterdir()] == ['round_000']


def test_images_that_are_no_longer_those_that_were_asked_are_named(
    own_data_root, part, masks, root, tmp_path
):
    oracle = bind(own_data_root, tmp_path)
    oracle.answer(part, predict)
    give_all(root, masks)
    file = own_data_root / 'img/frame_6.png'
    content, other = file.read_bytes(), (own_data_root / 'img/frame_7.png').read_bytes()
    cut = io.BytesIO()
    Image.open(file).crop((0, 0, 20, 20)).save(cut, format='PNG')
    for now, text in (
        (other, f'{file} was exchanged'),  # of the same name and size
        (cut.getvalue(), f'{file} was exchanged'),
        (content[:-20], f'{file} was exchanged'),
        (None, f'{file} is missing'),
    ):
        file.unlink() if now is None else file.write_bytes(now)
        with pytest.raises(UserError, match=f'1 images are not those that {root} asks .*{text}'):
            oracle.answer(part, never)
    file.write_bytes(content)
    assert len(list(oracle.answer(part, never))) == 4


def test_answers_come_back_as_they_were_given(oracle, part, masks, root):
    oracle.answer(part, predict)
    give_all(root, masks)
    answers = list(oracle.answer(part, never))
    assert [image_id for image_id, _, _ in answers] == list(masks)
    for i, (image_id, labels, notes) in enumerate(answers):
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, np.where(masks[image_id], i, 255))
        assert notes == dict(dropped=0, unlabelled=0)


def test_what_is_outside_is_dropped_and_reported_and_what_is_void_is_noted(
    oracle, part, masks, root, log
):
    oracle.answer(part, predict)
    give_all(root, masks)
    labels = np.full(SIZE, 3, np.uint8)
    labels[20:] = 99  # no class at all, but not asked either
    labels[4, 10:13] = 255
    give(root, 'frame_5', labels)
    _, found, notes = next(iter(oracle.answer(part, never)))
    expected = np.where(masks['frame_5'], 3, 255)
    expected[4, 10:13] = 255
    assert np.array_equal(found, expected)
    assert notes == dict(dropped=40 * 48 - 20, unlabelled=3)
    assert log == [f'{root}/answers/frame_5.png: 1900 labels outside of the request are not used']


def test_what_cannot_be_said_is_a_number(oracle, part, masks, root, log):
    """Masks of 0 and 255, as programs for two classes write them."""
    oracle.answer(part, predict)
    give_all(root, masks)
    for image_id in masks:
        labels = np.where(np.arange(48) % 2, 0, 255).astype(np.uint8)
        give(root, image_id, np.tile(labels, (40, 1)))
    list(oracle.answer(part, never))
    asked = [mask[:, column].sum() for mask in masks.values() for column in range(48)]
    void, total = sum(asked[::2]), sum(asked)
    assert log[-1:] == [
        f'Round 0: {void:,} of {total:,} labelled pixels ({100 * void / total:.1f} %) are 255, '
        '"cannot be said": they are charged, and nothing is learnt from them, and all others are '
        '0: if 255 stands for a class, write the id of that class there'
    ]


def test_a_palette_is_read_by_its_indices(oracle, part, masks, root):
    oracle.answer(part, predict)
    give_all(root, masks)
    image = Image.fromarray(np.full(SIZE, 2, np.uint8))
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(root / 'answers/frame_5.png')
    _, labels, _ = next(iter(oracle.answer(part, never)))
    assert set(labels[masks['frame_5']].tolist()) == {2}


def spoil_size(root):
    give(root, 'frame_6', np.zeros((20, 48), np.uint8))


def spoil_ids(root):
    give(root, 'frame_6', np.full(SIZE, 4, np.uint8))


def spoil_channels(root):
    give(root, 'frame_6', np.zeros((*SIZE, 3), np.uint8))


def spoil_depth(root):
    give(root, 'frame_6', np.ones(SIZE, bool))


def spoil_file(root):
    path = root / 'answers/frame_6.png'
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize(
    ('spoil', 'text'),
    [
        (spoil_size, 'is 48x20 pixels, its image 48x40: write it in the size'),
        (spoil_ids, r'has the class ids \[4\] inside of the request, but there are 4 classes'),
        (spoil_channels, r'has shape .* must have one channel of class ids'),
        (spoil_depth, 'has 1 bit per pixel'),
        (spoil_file, 'is not a complete PNG: write it again'),
    ],
)
def test_a_wrong_answer_is_named_early_and_can_be_mended(
    oracle, part, masks, root, tmp_path, spoil, text
):
    store = RoundStore(tmp_path / 'rounds')
    oracle.answer(part, predict)
    give_all(root, masks)
    spoil(root)
    with pytest.raises(UserError, match=r'answers/frame_6\.png ' + text):
        store.write_answer(0, oracle.answer(part, never), {})
    assert store.state(0) == 'asked'
    (root / 'answers/frame_5.png').unlink()  # told before all are there, too
    with pytest.raises(UserError, match=r'answers/frame_6\.png ' + text):
        oracle.answer(part, never)
    give_all(root, masks)
    store.write_answer(0, oracle.answer(part, never), {})
    assert np.array_equal(store.manual('frame_6'), np.where(masks['frame_6'], 1, 255))


def test_all_are_waited_for_and_strays_are_named(oracle, part, masks, root):
    oracle.answer(part, predict)
    give_all(root, masks)
    (root / 'answers/frame_7.png').rename(root / 'answers/frame_7 (1).png')
    (root / 'answers/.hidden').write_bytes(b'')
    found = oracle.answer(part, never)
    assert '1 of 4 answers are missing' in found.message
    assert '(frame_7.png); follow' in found.message
    assert found.message.endswith(
        'frame_7 (1).png does not belong to a requested image: wrong name?'
    )


def test_partial_answers_are_taken_and_the_rest_is_named_and_not_charged(
    data_root, tmp_path, part, masks, root, log
):
    oracle = bind(data_root, tmp_path, accept_partial=True)
    assert isinstance(oracle.answer(part, predict), Pending)  # nothing is there at all
    give_all(root, masks)
    (root / 'answers/frame_5.png').unlink()
    (root / 'answers/frame_8.png').unlink()
    store = RoundStore(tmp_path / 'rounds')
    store.write_answer(0, oracle.answer(part, never), {})
    assert list(store.answer(0).images) == ['frame_6', 'frame_7']
    assert store.asked('frame_5') is None
    assert log == ['Round 0: 2 of 4 images are not answered (frame_5, frame_8)']


def test_answers_that_were_changed_after_the_round_was_closed_are_named(
    oracle, part, masks, root, tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr(folder, 'print_log', lambda text, *_: said.append(text))
    oracle.answer(part, predict)
    give_all(root, masks)
    store = RoundStore(tmp_path / 'rounds')
    store.write_answer(0, oracle.answer(part, never), {})
    same = np.where(masks['frame_7'], 2, 3).astype(np.uint8)  # equal inside of the request
    give(root, 'frame_7', same, compress_level=0)
    (root / 'answers/frame_8.png').unlink()
    oracle.look_back(part, store.answer(0))
    assert said == []
    give(root, 'frame_5', np.where(masks['frame_5'], 3, 255).astype(np.uint8))
    (root / 'answers/frame_6.png').write_bytes(b'no picture')
    oracle.look_back(part, store.answer(0))
    (text,) = said
    assert '2 answers were changed after round 0 was closed (frame_5, frame_6): the ear' in text
    assert 'tools/active_learning/amend.py <folder of the run> --round 0' in text


def test_a_folder_of_another_request_is_refused(oracle, part, masks, root, tmp_path):
    oracle.answer(part, predict)
    other = RoundStore(tmp_path / 'other')
    other = other.write_request(0, [('frame_5', masks['frame_5'], {})], {})
    with pytest.raises(StoreError, match='round_000 was not written for this request: move it'):
        oracle.answer(other, predict)
    (root / 'manifest.json').unlink()
    with pytest.raises(StoreError, match='was not written for this request'):
        oracle.answer(part, predict)


def test_a_killed_writer_leaves_no_half_folder(oracle, part, root):
    def killed(image_id):
        if image_id == 'frame_7':
            raise KeyboardInterrupt
        return predict(image_id)

    with pytest.raises(KeyboardInterrupt):
        oracle.answer(part, killed)
    assert not root.exists()
    left = root.with_name('.round_000.' + 'a' * 32)  # as SIGKILL would
    left.mkdir(parents=True)
    assert isinstance(oracle.answer(part, predict), Pending)
    assert not left.exists()


def test_images_are_copied_where_there_are_no_links(oracle, part, root, monkeypatch, data_root):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, 'symlink', refuse)
    oracle.answer(part, predict)
    assert not (root / 'images/frame_5.png').is_symlink()
    assert np.array_equal(read(root / 'images/frame_5.png'), read(data_root / 'img/frame_5.png'))


def test_images_in_folders_and_another_place_for_the_rounds(data_root, tmp_path):
    for kind in ('img', 'ann'):
        (tmp_path / kind / 'city').mkdir(parents=True)
        content = (data_root / kind / 'frame_5.png').read_bytes()
        (tmp_path / kind / 'city/frame_5.png').write_bytes(content)
    (tmp_path / 'list.txt').write_text('city/frame_5\n')
    oracle = ORACLES.build(dict(type='FolderOracle', annotation_dir=str(tmp_path / 'desk')))
    oracle.bind(part_cfg(tmp_path, 'list.txt'), tmp_path, len(CLASSES))
    items = [('city/frame_5', np.ones(SIZE, bool), {})]
    part = RoundStore(tmp_path / 'rounds').write_request(0, items, {})
    oracle.answer(part, predict)
    root = tmp_path / 'desk/round_000'
    assert (root / 'outlines/city/frame_5.png').is_file()
    give(root, 'city/frame_5', np.full(SIZE, 1, np.uint8))
    ((image_id, labels, _),) = oracle.answer(part, never)
    assert image_id == 'city/frame_5' and (labels == 1).all()
