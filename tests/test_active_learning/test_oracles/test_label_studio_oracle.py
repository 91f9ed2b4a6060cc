"""LabelStudioOracle against a server in this process: what it uploads, what it makes of answers."""

import base64
import socket

import fake_label_studio
import numpy as np
import pytest
from fake_label_studio import TOKEN
from PIL import Image
from tiny_runs import CLASSES, part_cfg

from mmseg_tsf.active_learning import ORACLES, RoundStore
from mmseg_tsf.active_learning.exchange import answers
from mmseg_tsf.active_learning.exchange.formats.label_studio import brush, key_point
from mmseg_tsf.active_learning.oracles.base import Pending
from mmseg_tsf.utils.errors import UserError

SIZE = (40, 48)
IDS = ('frame_5', 'frame_6')


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv('LABEL_STUDIO_API_KEY', TOKEN)
    with fake_label_studio.serve() as fake:
        yield fake


@pytest.fixture
def part(tmp_path):
    masks = {image_id: np.zeros(SIZE, bool) for image_id in IDS}
    masks[IDS[0]][4:10, 10:20] = True
    masks[IDS[1]][30, 40] = True  # a pixel on its own
    items = ((image_id, mask, {}) for image_id, mask in masks.items())
    return RoundStore(tmp_path / 'rounds').write_request(0, items, {})


@pytest.fixture
def ask(data_root, tmp_path, part):
    """Asks an oracle that is made anew, as a resumed run does."""

    def ask(url, **options):
        oracle = ORACLES.build(dict(type='LabelStudioOracle', url=url, **options))
        oracle.bind(part_cfg(data_root, 'unlabelled.txt'), tmp_path, len(CLASSES))
        found = oracle.answer(part, lambda image_id: np.full(SIZE, 1, np.uint8))
        return found if isinstance(found, Pending) else list(found)

    return ask


def test_tasks_are_uploaded_once_with_their_images(server, ask, data_root):
    message = ask(server.url).message
    assert f'2 of 2 tasks are not submitted in {server.url}/projects/1' in message
    first, second = server.tasks[1]
    assert [task['data']['image_id'] for task in (first, second)] == list(IDS)
    kind, content = first['data']['image'].split(',')
    assert kind == 'data:image/png;base64'
    assert base64.b64decode(content) == (data_root / f'img/{IDS[0]}.png').read_bytes()
    shown = [result['type'] for result in first['predictions'][0]['result']]
    assert shown == ['brushlabels', 'polygonlabels']
    assert second['predictions'][0]['result'][0]['value']['keypointlabels'] == ['sky']
    ask(server.url)
    assert len(server.projects) == 1 and len(server.tasks[1]) == 2


def test_what_is_submitted_becomes_the_answer(server, ask, part, tmp_path):
    ask(server.url)
    labelled = np.zeros(SIZE, bool)
    labelled[:8] = True  # more than was asked, and less
    server.annotate(1, IDS[0], [brush('car', labelled)], at='2')
    assert '1 of 2 tasks' in ask(server.url).message
    server.annotate(1, IDS[1], [key_point('pole', 40, 30, SIZE)])
    server.annotate(1, IDS[0], [brush('road', labelled)], at='3')  # thought better of it
    (first, labels, notes), (second, points, _) = ask(server.url)
    assert (first, second) == IDS
    asked = part.mask(IDS[0])
    assert (labels[asked & labelled] == 0).all()
    assert (labels[~(asked & labelled)] == 255).all()
    assert notes['unlabelled'] == (asked & ~labelled).sum()
    assert points[30, 40] == 3 and (points != 255).sum() == 1
    written = Image.open(tmp_path / f'annotation/round_000/answers/{IDS[0]}.png')
    assert np.array_equal(np.asarray(written)[asked], labels[asked])


def test_partial_answers(server, ask):
    assert isinstance(ask(server.url, accept_partial=True), Pending)
    server.annotate(1, IDS[1], [key_point('pole', 40, 30, SIZE)])
    ((image_id, _, _),) = ask(server.url, accept_partial=True)
    assert image_id == IDS[1]


@pytest.mark.parametrize('call', range(6))
def test_a_server_that_breaks_off_is_taken_up_again(server, ask, call):
    server.fail_at = call
    try:
        ask(server.url)
    except UserError as error:
        assert 'HTTP 500' in str(error) and 'out of memory' in str(error)
    assert '2 of 2 tasks' in ask(server.url).message
    assert len(server.projects) == 1
    assert [task['data']['image_id'] for task in server.tasks[1]] == list(IDS)


def test_a_personal_token_is_traded_in(server, ask, monkeypatch, tmp_path):
    monkeypatch.setenv('LABEL_STUDIO_API_KEY', 'head.short-lived.tail')
    server.tokens = {'Bearer short-lived'}
    ask(server.url)
    assert server.calls[0][:2] == ('POST', '/api/token/refresh')
    files = [path for path in tmp_path.rglob('*') if path.is_file()]
    assert files and not any(b'short-lived' in path.read_bytes() for path in files)


def test_mistakes_end_in_a_sentence(server, ask, monkeypatch):
    server.tokens = set()
    with pytest.raises(UserError, match='rejects the token .HTTP 401.: create one under'):
        ask(server.url)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{free.getsockname()[1]}'
    with pytest.raises(UserError, match=f'{url} does not answer .*: start it or correct'):
        ask(url)
    monkeypatch.delenv('LABEL_STUDIO_API_KEY')
    with pytest.raises(UserError, match='environment variable LABEL_STUDIO_API_KEY'):
        ask(server.url)


def answer_path(tmp_path, image_id):
    return tmp_path / f'annotation/round_000/answers/{image_id}.png'


def test_what_was_made_by_hand_is_never_overwritten(server, ask, tmp_path):
    ask(server.url)
    whole = np.ones(SIZE, bool)
    by_hand = answer_path(tmp_path, IDS[0])
    Image.fromarray(np.full(SIZE, 3, np.uint8)).save(by_hand)
    for image_id in IDS:
        server.annotate(1, image_id, [brush('road', whole)], at='2')
    (first, labels, _), (second, others, _) = ask(server.url)
    assert set(labels[labels != 255]) == {3} and set(others[others != 255]) == {0}
    assert (np.asarray(Image.open(by_hand)) == 3).all()
    # what came from Label Studio follows what is submitted later ...
    by_hand.unlink()
    server.annotate(1, IDS[0], [brush('car', whole)], at='3')
    (_, labels, _), _ = ask(server.url)
    assert set(labels[labels != 255]) == {2}
    # ... until somebody corrects the file
    Image.fromarray(np.full(SIZE, 1, np.uint8)).save(by_hand)
    server.annotate(1, IDS[0], [brush('road', whole)], at='4')
    (_, labels, _), _ = ask(server.url)
    assert set(labels[labels != 255]) == {1}


def test_an_answer_whose_writing_was_interrupted_does_not_look_made_by_hand(
    server, ask, tmp_path, monkeypatch
):
    ask(server.url)
    whole = np.ones(SIZE, bool)
    server.annotate(1, IDS[0], [brush('road', whole)], at='1')
    server.annotate(1, IDS[1], [brush('road', whole)], at='1')
    with monkeypatch.context() as patch:
        patch.setattr(answers, 'write_file', killed_at_the_second(answers.write_file))
        with pytest.raises(KeyboardInterrupt):
            ask(server.url)
    assert answer_path(tmp_path, IDS[0]).exists() and not answer_path(tmp_path, IDS[1]).exists()
    server.annotate(1, IDS[0], [brush('car', whole)], at='2')
    (_, labels, _), _ = ask(server.url)
    assert set(labels[labels != 255]) == {2}


def killed_at_the_second(write):
    calls = []

    def write_file(path, content):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write(path, content)

    return write_file


def test_broken_shapes_are_skipped(server, ask):
    ask(server.url)
    broken = dict(type='polygonlabels', value=dict(points=[[1, None]], polygonlabels=['car']))
    for image_id in IDS:
        server.annotate(1, image_id, [broken, brush('road', np.ones(SIZE, bool))])
    assert all(set(labels[labels != 255]) == {0} for _, labels, _ in ask(server.url))
