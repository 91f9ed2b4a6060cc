"""Rounds on disk: what comes back, what folds, and what no accident can take."""

import errno
import os
import shutil

import numpy as np
import pytest
from stores import (
    CAMPAIGN,
    IDS,
    REFUSED,
    SIZE,
    asked,
    in_child,
    interrupt,
    make_store,
    said,
    snapshot,
    write_answer,
    write_request,
)

from mmseg_tsf.active_learning import RoundStore, StoreError, check_rounds, verify
from mmseg_tsf.utils.files import is_leftover

OPERATIONS = {
    'campaign': lambda store: store.open(CAMPAIGN, ()),
    'request': lambda store: write_request(store, 1),
    'answer': lambda store: write_answer(store, 1),
}


def before(operation: str, root) -> RoundStore:
    """A store that an operation is about to write to."""
    if operation == 'campaign':
        return RoundStore(root)
    store = make_store(root, answered=1, labels=True)
    if operation == 'answer':
        write_request(store, 1)
    return store


def test_a_round_comes_back(tmp_path):
    make_store(tmp_path)
    store = RoundStore(tmp_path)
    assert store.numbers() == store.answered() == [0, 1]
    request, answer = store.request(1), store.answer(1)
    assert list(request.images) == list(answer.images) == list(IDS)
    assert request.images['y'] == dict(size=[6, 8], pixels=16, regions=1, components=1, clicks=5)
    assert answer.images['y'] == dict(size=[6, 8], classes=[0, 15, 0])
    assert request.info['seed'] == 1 and answer.info['who'] == 'ground truth'
    for image_id in IDS:
        assert np.array_equal(request.mask(image_id), asked(1))
        assert np.array_equal(answer.labels(image_id), said(1))
    assert store.campaign() == CAMPAIGN
    assert verify(store) == []


def test_an_answer_fits_its_request(tmp_path):
    store = make_store(tmp_path, answered=1)
    write_request(store, 1)
    fits = IDS[0], said(1), {}
    for item, sentence in (
        (('z', said(1), {}), 'z is answered, but was not requested'),
        ((IDS[1], said(1)[:3], {}), r'answer for y is \(3, 8\), its image \(6, 8\)'),
        (fits, 'a/x is given twice: give each image once'),
    ):
        with pytest.raises(StoreError, match=sentence):
            store.write_answer(1, [fits, item], {})
    assert store.state(1) == 'asked' and verify(store) == []
    assert not any(is_leftover(path) for path in (tmp_path / 'round_001').iterdir())


def test_no_name_leads_out_of_the_store(tmp_path):
    store = make_store(tmp_path / 'rounds', answered=0)
    for image_id in ('../../../../x', '/x'):
        with pytest.raises(StoreError, match='leads out of'):
            store.write_request(0, [(image_id, asked(0), {})], {})
    assert [path.name for path in tmp_path.iterdir()] == ['rounds']
    assert store.state(0) == 'empty'


def test_rounds_have_three_digits(tmp_path):
    with pytest.raises(StoreError, match='holds at most 1000 rounds'):
        make_store(tmp_path, answered=0).write_request(1000, [], {})


def test_a_manifest_may_be_made_of_its_images(tmp_path):
    store, notes = make_store(tmp_path, answered=0), dict(pixels=16)
    store.write_request(
        0,
        [(image_id, asked(0), notes) for image_id in IDS],
        lambda images: dict(pixels=sum(own['pixels'] for own in images.values())),
    )
    assert store.request(0).info['pixels'] == 32 and verify(store) == []


def test_exchanged_and_missing_rounds_are_refused(tmp_path):
    store = make_store(tmp_path / 'rounds', answered=3)
    other = make_store(tmp_path / 'other', answered=0)
    write_request(other, 0)
    other.write_answer(0, [(IDS[0], said(0), {})], {})  # of the same request
    check_rounds(store)
    copy_of = tmp_path / 'kept'
    (tmp_path / 'rounds/round_000/answer').rename(copy_of)
    shutil.copytree(tmp_path / 'other/round_000/answer', tmp_path / 'rounds/round_000/answer')
    with pytest.raises(StoreError, match='does not belong to .*: one was exchanged'):
        check_rounds(RoundStore(tmp_path / 'rounds'))
    shutil.rmtree(tmp_path / 'rounds/round_000/answer')
    copy_of.rename(tmp_path / 'rounds/round_000/answer')
    (tmp_path / 'rounds/round_001').rename(copy_of)
    with pytest.raises(StoreError, match='round_001/request is missing'):
        check_rounds(RoundStore(tmp_path / 'rounds'))


def test_states_follow_one_another_and_nothing_is_written_twice(tmp_path):
    store = RoundStore(tmp_path)
    assert store.state(0) == 'empty'
    write_request(store, 0)
    assert store.state(0) == 'asked' and store.answered() == []
    with pytest.raises(StoreError, match='exists already'):
        write_request(store, 0)
    write_answer(store, 0)
    assert store.state(0) == 'answered'
    with pytest.raises(StoreError, match='exists already'):
        write_answer(store, 0)
    with pytest.raises(StoreError, match='round_001/answer/manifest.json is missing'):
        write_request(store, 2)


def test_a_later_answer_wins_inside_its_own_request_alone(tmp_path):
    store = RoundStore(tmp_path)
    first, second = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    first[:4], second[3:5] = True, True
    store.write_request(0, [('x', first, {}), ('z', first, {})], {})
    store.write_answer(0, [('x', np.where(first, 1, 255), {})], {})
    answer = np.full(SIZE, 2)  # careless: it speaks of pixels that it was not asked
    answer[3, 0] = answer[4, 1] = 255
    store.write_request(1, [('x', second, {})], {})
    store.write_answer(1, [('x', answer, {})], {})
    expected = np.full(SIZE, 255)
    expected[:3], expected[3:5] = 1, 2
    expected[3, 0] = expected[4, 1] = 255  # void takes the earlier label back
    assert np.array_equal(store.manual('x'), expected)
    assert np.array_equal(store.manual('x', [0]), np.where(first, 1, 255))
    assert np.array_equal(store.asked('x'), first | second)  # void is asked and paid
    assert store.manual('z') is None and store.asked('z') is None  # never answered
    assert [image_id for image_id, _ in store.fold(1)] == ['x']


@pytest.mark.parametrize('operation', OPERATIONS)
def test_a_run_killed_at_any_step_leaves_the_old_state_or_the_new(tmp_path, monkeypatch, operation):
    OPERATIONS[operation](before(operation, tmp_path / 'whole'))
    new, killed = snapshot(tmp_path / 'whole'), 0
    old = snapshot(before(operation, tmp_path / 'old').root)
    while True:
        root = tmp_path / str(killed)
        store = before(operation, root)
        with monkeypatch.context() as patch:
            interrupt(patch, killed, lambda: os._exit(9))
            status = in_child(lambda store=store: OPERATIONS[operation](store))
        if status == 0:
            break
        killed += 1
        assert status == 9
        if operation != 'campaign':
            assert verify(RoundStore(root)) == []
        store = RoundStore(root)
        with store.lock():
            assert not any(is_leftover(p) for p in root.rglob('*'))
            assert snapshot(root) in (old, new)
            if snapshot(root) == old:
                OPERATIONS[operation](store)
        assert snapshot(root) == new
        assert verify(store) == []
    assert killed > 2


@pytest.mark.parametrize(
    ('code', 'text'),
    [(errno.ENOSPC, 'the disk is full'), (errno.EROFS, 'read-only'), (errno.EACCES, 'permission')],
)
@pytest.mark.parametrize('operation', ['request', 'answer'])
def test_a_full_disk_is_one_sentence_and_no_loss(tmp_path, monkeypatch, operation, code, text):
    store = before(operation, tmp_path)
    old, at = snapshot(tmp_path), 0

    def fail():
        raise OSError(code, 'system')

    while True:
        with monkeypatch.context() as patch:
            interrupt(patch, at, fail)
            try:
                OPERATIONS[operation](store)
                break
            except StoreError as error:
                assert text in str(error) and 'then resume' in str(error)
        at += 1
        if store.state(1) == ('asked' if operation == 'request' else 'answered'):
            break  # renamed already: only its safe arrival was not confirmed
        assert snapshot(tmp_path) == old
    assert at > 5
    assert verify(store) == []


def test_a_changed_config_is_named_and_refused_where_labels_depend_on_it(tmp_path):
    store = make_store(tmp_path)
    changed = dict(CAMPAIGN, rounds=9, oracle='FolderOracle')
    assert store.open(changed, ['classes', 'available']) == [
        'rounds was 3, is 9',
        'oracle was "GroundTruthOracle", is "FolderOracle"',
    ]
    with pytest.raises(StoreError, match=r'classes was \["road", .*is \["road"\] now, but labels'):
        store.open(dict(CAMPAIGN, classes=['road']), ['classes', 'available'])
    fewer = {key: value for key, value in CAMPAIGN.items() if key != 'initial'}
    with pytest.raises(StoreError, match='initial was .* is null now'):
        store.open(fewer, ['initial'])
    assert store.open(CAMPAIGN, list(CAMPAIGN)) == []
    assert store.campaign() == CAMPAIGN


def test_rounds_without_their_campaign_are_refused(tmp_path):
    store = make_store(tmp_path)
    (tmp_path / 'campaign.json').unlink()
    with pytest.raises(StoreError, match='campaign.json is missing beside its rounds'):
        store.open(CAMPAIGN, ())
    assert not (tmp_path / 'campaign.json').exists()


def test_two_runs_do_not_share_a_store(tmp_path):
    store = make_store(tmp_path)

    def second():
        with RoundStore(tmp_path).lock():
            pass

    with store.lock():
        assert in_child(second) == REFUSED
    assert in_child(second) == 0


def test_a_truncated_mask_is_refused_where_it_is_read(tmp_path):
    store = make_store(tmp_path)
    path = tmp_path / 'round_001/answer/labels/y.png'
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(StoreError, match=r'y\.png was altered after it was written: restore'):
        store.manual('y')
    assert np.array_equal(store.manual('y', [0]), said(0))
