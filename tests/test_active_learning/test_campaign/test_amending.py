"""Answers that are corrected after their round was closed."""

import json
import os
import shutil

import numpy as np
import pytest
from exchange_runs import CLASSES, IDS, SIZE, asked_masks, make_run, truth
from PIL import Image
from stores import REFUSED, in_child, interrupt
from tool_loader import load_tool

from mmseg_tsf.active_learning import RoundStore, StoreError, check_rounds, verify
from mmseg_tsf.active_learning.campaign.amending import amend
from mmseg_tsf.active_learning.selection.clicks import class_counts
from mmseg_tsf.active_learning.store.round_log import RoundLog
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.locks import lock

FILES = 'annotation/round_000/answers'
INITIAL = dict(pixels=0, images=0, regions=0, clicks=0)


def inside(image_id: str) -> np.ndarray:
    """``(H, W)`` uint8 that people answered, 255 outside of the request."""
    return np.where(asked_masks()[image_id], truth(image_id), 255).astype(np.uint8)


def corrected(image_id: str) -> np.ndarray:
    """The answer with another class at two requested pixels, one of them void."""
    labels = inside(image_id)
    rows, columns = asked_masks()[image_id].nonzero()
    labels[rows[0], columns[0]] = (labels[rows[0], columns[0]] + 1) % len(CLASSES)
    labels[rows[-1], columns[-1]] = 255
    return labels


def put(run, image_id: str, labels: np.ndarray) -> None:
    """Writes a file into the folder for people."""
    path = run / FILES / f'{image_id}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


def answer(store: RoundStore, image_ids=IDS) -> None:
    """Closes round 0."""
    items = [(i, inside(i), dict(classes=class_counts(inside(i), len(CLASSES)))) for i in image_ids]
    store.write_answer(0, items, dict(who='people'))


@pytest.fixture
def run(tmp_path):
    """A run whose round 0 people have answered, all files still in place."""
    store = make_run(tmp_path / 'run')
    facts = dict(initial=INITIAL, available=dict(pixels=9999, images=9), rounds=2, oracle='x')
    budget = dict(total=5000, per_round=None, unit='pixels')
    store.replace_campaign(dict(store.campaign(), budget=budget, **facts))
    answer(store)
    store.label_folder(0)
    for image_id in IDS:
        put(tmp_path / 'run', image_id, inside(image_id))
    return tmp_path / 'run'


def amend_0(run):
    return amend(RoundStore(run / 'rounds'), 0, run / 'annotation/round_000')


def files_of(run) -> dict[str, bytes]:
    paths = (p for p in (run / 'rounds').rglob('*') if p.is_file() and p.name != '.lock')
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in paths}


def test_the_corrected_answer_is_used_and_the_earlier_one_is_kept(run, capsys):
    before, known = files_of(run), RoundStore(run / 'rounds')
    assert np.array_equal(known.manual('c'), inside('c'))
    put(run, 'c', corrected('c'))
    result = amend_0(run)
    assert (result.images, result.unchanged, result.late) == ({'c': 2}, 2, [])
    after = files_of(run)
    assert {name: after[name] for name in before} == before
    assert [n for n in after if n not in before and n.endswith('png')] == [
        'rounds/amendments/amendment_000/labels/c.png'
    ]
    for store in (
        known,
        RoundStore(run / 'rounds'),
    ):  # one that read the answer before, and one not
        assert np.array_equal(store.answer(0).labels('c'), corrected('c'))
        assert np.array_equal(store.manual('c'), corrected('c'))
        assert np.array_equal(store.manual('city/a'), inside('city/a'))
        assert np.array_equal(dict(store.fold(0))['c'], corrected('c'))
        assert np.array_equal(store.asked('c'), asked_masks()['c'])
        notes = store.answer(0).images['c']
        assert notes['classes'] == class_counts(corrected('c'), len(CLASSES))
        assert (notes['changed'], notes['unlabelled']) == (2, 1)
        assert store.amendments()[0].info['who'] == 'people'
        assert store.answer(0).holds('c', (run / FILES / 'c.png').read_bytes())
        assert store.answer(0).amended == {'c'}
        assert verify(store) == []
    check_rounds(known)
    changed = {p: p.stat().st_ino for p in (run / 'rounds/labels').rglob('*.png')}
    folder = known.label_folder(0)
    assert np.array_equal(np.array(Image.open(folder / 'c.png')), corrected('c'))
    assert [p.name for p, inode in changed.items() if p.stat().st_ino != inode] == ['c.png']
    assert verify(known) == []


def test_the_ledger_and_the_next_request_stay_and_the_tools_show_it(run, capsys):
    status = load_tool('active_learning/status.py').main
    before = status([str(run), '--json'])
    put(run, 'city/a', corrected('city/a'))
    put(run, 'c', corrected('c'))
    result = load_tool('active_learning/amend.py').main([str(run), '--round', '0'])
    said = capsys.readouterr().out
    assert set(result.images) == {'city/a', 'c'}
    assert (
        'round 0: 2 answers amended (c, city/a; 4 pixels have another label), 1 unchanged' in said
    )
    assert 'nothing is charged' in said and 'from its start with --resume on' in said
    after = status([str(run), '--json'])
    for key in ('spent', 'left', 'total', 'rounds_answered'):
        assert before[key] == after[key], key
    assert (before['rounds'][0]['amended'], after['rounds'][0]['amended']) == (0, 2)
    assert sum(before['classes'].values()) - sum(after['classes'].values()) == 2  # void now
    capsys.readouterr()
    status([str(run)])
    assert 'people, 2 amended' in ' '.join(capsys.readouterr().out.split())
    RoundLog(run / 'active_learning.jsonl').write(
        dict(round=1, iter=9, state='finished', seconds={}, spent={})
    )
    put(run, 'c', inside('c'))
    load_tool('active_learning/amend.py').main([str(run), '--round', '0'])
    assert 'the training of this run is finished: replay.py' in capsys.readouterr().out


def test_the_newest_amendment_of_an_image_counts(run):
    put(run, 'c', corrected('c'))
    put(run, 'city/a', corrected('city/a'))
    amend_0(run)
    put(run, 'c', np.zeros(SIZE, np.uint8))
    assert amend_0(run).unchanged == 2
    store = RoundStore(run / 'rounds')
    assert (store.manual('c') == 0).all()
    assert np.array_equal(store.manual('city/a'), corrected('city/a'))
    assert [own.info['previous'] for own in store.amendments()] == [
        None,
        store.amendments()[0].digest,
    ]
    put(run, 'c', inside('c'))  # back to the first answer
    amend_0(run)
    assert np.array_equal(store.manual('c'), inside('c')) and verify(store) == []
    assert json.loads((run / 'rounds/labels/manifest.json').read_text())['round'] == 0
    assert np.array_equal(np.array(Image.open(store.label_folder(0) / 'c.png')), inside('c'))


def outside(labels):
    labels[5, 2] = 1  # not requested
    return labels


@pytest.mark.parametrize(
    ('image_id', 'change', 'sentence'),
    [
        ('new', lambda labels: labels, r'new\.png in the answers belongs to no image that round 0'),
        ('city/a', outside, r'for city/a labels 1 pixels outside of the request of round 0: set'),
        ('city/a', lambda labels: labels[:8], r'a\.png is 40x8 pixels, its image 40x32'),
        ('city/a', lambda labels: np.minimum(labels, 9), r'has the class ids \[9\] inside'),
        ('city/a', lambda labels: labels > 1, r'a\.png has 1 bit per pixel'),
        ('city/a', lambda labels: np.stack(3 * [labels], -1), r'must have one channel'),
        ('city/a', inside, 'no answer differs from those of .*round_000: correct the files'),
    ],
)
def test_what_does_not_fit_the_request_is_refused_and_nothing_is_written(
    run, image_id, change, sentence
):
    before = files_of(run)
    if change is inside:
        put(run, image_id, inside(image_id))
    else:
        labels = corrected('city/a')
        labels[4, 6] = 200 if '9' in sentence else labels[4, 6]
        put(run, image_id, change(labels))
        put(run, 'c', corrected('c'))  # would be right
    with pytest.raises(UserError, match=sentence):
        amend_0(run)
    assert files_of(run) == before
    assert verify(RoundStore(run / 'rounds')) == []


def test_only_what_was_answered_can_be_amended(tmp_path, capsys):
    run = tmp_path / 'run'
    store = make_run(run)
    for image_id in IDS:
        put(run, image_id, corrected(image_id))
    main = load_tool('active_learning/amend.py').main
    with pytest.raises(StoreError, match='round_000 has no answer to amend: its answers are used'):
        main([str(run), '--round', '0'])
    with pytest.raises(UserError, match='has no round 4: round 0 waits'):
        main([str(run), '--round', '4'])
    answer(store, IDS[:2])  # closed without the third
    result = main([str(run), '--round', '0'])
    assert set(result.images) == set(IDS[:2]) and result.late == ['c']
    assert 'not answered when the round was closed and are not paid: 1 images (c)' in (
        capsys.readouterr().out
    )
    assert store.manual('c') is None and list(store.answer(0).images) == sorted(IDS[:2])
    with pytest.raises(StoreError, match='c is amended, but was not answered: leave it out'):
        store.write_amendment(0, [('c', inside('c'), {})], {})
    other = make_run(tmp_path / 'other', people=False)
    answer(other)
    with pytest.raises(UserError, match='its oracle does not ask annotators'):
        main([str(tmp_path / 'other'), '--round', '0'])


def test_an_amendment_killed_at_any_step_is_there_or_not(run, tmp_path, monkeypatch):
    put(run, 'c', corrected('c'))
    killed, states = 0, []
    while True:
        own = tmp_path / str(killed)
        shutil.copytree(run, own, symlinks=True)
        with monkeypatch.context() as patch:
            interrupt(patch, killed, lambda: os._exit(9))
            status = in_child(lambda own=own: amend_0(own))
        store = RoundStore(own / 'rounds')
        assert verify(store) == []
        states.append(len(store.amendments()))
        labels = corrected('c') if states[-1] else inside('c')
        assert np.array_equal(store.manual('c'), labels)
        if not states[-1]:
            amend_0(own)
        assert np.array_equal(store.manual('c'), corrected('c'))
        names = {p.name for p in (own / 'rounds/amendments').iterdir()}
        assert names == {'.lock', 'amendment_000'} and verify(store) == []
        if status == 0:
            break
        assert status == 9
        killed += 1
    assert killed > 5 and states[0] == 0 and states[-1] == 1 and states == sorted(states)


def test_damaged_lost_and_exchanged_amendments_are_noticed(run):
    store = RoundStore(run / 'rounds')
    for labels in (corrected('c'), np.ones(SIZE, np.uint8), corrected('c')):
        put(run, 'c', labels)
        amend_0(run)
    store.label_folder(0)
    store.write_request(1, [('c', np.ones(SIZE, bool), dict(pixels=1, regions=1, clicks=1))], {})
    folder = run / 'rounds/amendments'

    def problems() -> str:
        found = '\n'.join(verify(store))
        with pytest.raises(StoreError, match='restore it from a copy|restore the folder'):
            check_rounds(RoundStore(run / 'rounds'))
        return found

    assert verify(store) == []
    for path in sorted(p for p in folder.rglob('*') if p.is_file() and p.name != '.lock'):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert str(path.parent) in problems() and path.name in problems()
        path.unlink()
        assert path.name in problems()
        path.write_bytes(content)
    assert verify(store) == []
    (folder / 'amendment_001').rename(run / 'aside')
    assert 'amendment_002 does not follow from round 0 and the amendment before it' in problems()
    (run / 'aside').rename(folder / 'amendment_001')
    (folder / 'amendment_002').rename(run / 'aside')
    text = problems()
    assert f'{folder} lacks an amendment that {run}/rounds/round_001/request was based on' in text
    assert 'labels does not belong to its rounds' in text
    (run / 'aside').rename(folder / 'amendment_002')
    (folder / 'stray').write_bytes(b'')
    assert verify(store) == [f'{folder}/stray is foreign']


def test_a_run_may_be_at_work_but_no_second_amendment(run):
    put(run, 'c', corrected('c'))
    with RoundStore(run / 'rounds').lock():
        assert in_child(lambda: amend_0(run)) == 0
    put(run, 'c', inside('c'))
    with lock(run / 'rounds/amendments/.lock'):
        assert in_child(lambda: amend_0(run)) == REFUSED
    assert len(RoundStore(run / 'rounds').amendments()) == 1
