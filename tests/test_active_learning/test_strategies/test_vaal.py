"""Queries by VAAL: what is labelled, what is asked first, and what is refused."""

import json
import logging
import time

import numpy as np
import pytest
import torch
from PIL import Image
from query_runs import FakeLabels, make_context, make_model, make_pool
from tiny_runs import INITIAL, active_learning_cfg, make_runner

from mmseg_tsf.active_learning.selection.selection import select
from mmseg_tsf.active_learning.selection.selectors import ImageSelector
from mmseg_tsf.active_learning.strategies import vaal, vaal_training
from mmseg_tsf.active_learning.strategies.vaal import VAALQuery, places
from mmseg_tsf.utils.errors import UserError

TINY = dict(size=32, channels=32, latent=4, iterations=3, batch_size=4)


@pytest.fixture(scope='module')
def model():
    return make_model()


def begin(model, root, labels=None, seed=0, folder=None, **options) -> VAALQuery:
    query = VAALQuery(**{**TINY, **options})
    labelled = make_pool(root, ann_file='labelled.txt')
    context = make_context(model, make_pool(root, labels), seed, labelled=labelled)
    context.folder = folder or context.folder
    query.begin(context)
    return query


def write_images(root, levels) -> None:
    """Images of a few coarse squares around a grey level, those of the labelled list first."""
    rng = np.random.default_rng(0)
    (root / 'img').mkdir(parents=True)
    for i, level in enumerate(levels):
        coarse = rng.integers(-40, 41, (5, 6, 1)).repeat(8, axis=0).repeat(8, axis=1)
        pixels = level + coarse + rng.integers(-20, 21, (40, 48, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / f'img/frame_{i:02d}.png')


def test_the_kind_of_image_that_nobody_has_labelled_is_asked_first(model, tmp_path):
    write_images(tmp_path, [60] * 10 + [60, 190] * 8)
    names = [f'frame_{i:02d}' for i in range(26)]
    (tmp_path / 'labelled.txt').write_text('\n'.join(names[:10]) + '\n')
    (tmp_path / 'unlabelled.txt').write_text('\n'.join(names[10:]) + '\n')
    query = begin(model, tmp_path, latent=8, adversary=0.1, iterations=60, batch_size=8)
    choices = select(model, make_pool(tmp_path), query, ImageSelector(), 8, 'images')
    assert [choice.index for choice in choices] == list(range(1, 16, 2))


def test_images_with_labels_of_people_count_as_labelled(model, data_root):
    labels = FakeLabels()
    counts = dict(labelled=5, unlabelled=7)
    first = begin(model, data_root, labels).notes()
    assert first.items() >= counts.items() and set(first) == {*counts, 'vae', 'discriminator'}
    mask = np.zeros((40, 48), bool)
    mask[0, :2] = True
    labels.answer(make_pool(data_root), {2: mask, 4: mask})
    assert begin(model, data_root, labels).notes().items() >= dict(labelled=7, unlabelled=5).items()


def test_units_are_drawn_where_nothing_can_be_told_apart(model, data_root, caplog):
    labels = FakeLabels()
    everything = dict.fromkeys(range(7), np.ones((40, 48), bool))
    labels.answer(make_pool(data_root), everything)
    with caplog.at_level(logging.WARNING, 'mmengine'):
        query = begin(model, data_root, labels)
    assert query.notes() == dict(labelled=12, unlabelled=0)
    assert not query._order.any() and query._order.shape == (7,)
    query = VAALQuery(**TINY)
    query.begin(make_context(model, make_pool(data_root)))  # no labelled images at all
    assert query.notes() == dict(labelled=0, unlabelled=7)


def test_a_query_that_was_killed_reads_and_trains_no_more_than_is_missing(
    model, data_root, tmp_path, monkeypatch
):
    expected = begin(model, data_root)._order
    monkeypatch.setattr(vaal_training, 'SAVE_SECONDS', 0.0)
    step, steps = vaal_training.VAALTraining._step, []

    def noted(self, number):
        steps.append(number)
        if steps == [0, 1]:
            raise KeyboardInterrupt
        step(self, number)

    monkeypatch.setattr(vaal_training.VAALTraining, '_step', noted)
    with pytest.raises(KeyboardInterrupt):
        begin(model, data_root, folder=tmp_path)
    for _ in range(2):  # a query that was complete trains nothing
        query = begin(model, data_root, folder=tmp_path)
        assert np.array_equal(query._order, expected) and query.notes()['vae'] > 0
    assert steps == [0, 1, 1, 2]
    # other options or labels begin anew
    begin(model, data_root, folder=tmp_path, beta=2.0)
    labels = FakeLabels()
    labels.answer(make_pool(data_root), {3: np.ones((40, 48), bool)})
    begin(model, data_root, labels, folder=tmp_path)
    assert steps[4:] == [0, 1, 2] * 2 and len(list(tmp_path.iterdir())) == 3


def test_a_campaign_by_vaal(data_root, tmp_path, monkeypatch):
    begin = VAALQuery.begin
    monkeypatch.setattr(VAALQuery, 'begin', lambda *a: begin(*a) or time.sleep(0.5))
    cfg = active_learning_cfg(
        'supervised',
        data_root,
        tmp_path,
        query=dict(TINY, type='VAALQuery'),
        selector=dict(type='ImageSelector'),
        budget=dict(total=INITIAL // 1920 + 4, unit='images'),
    )
    make_runner(cfg).train()
    log = [json.loads(x) for x in (tmp_path / 'active_learning.jsonl').read_text().splitlines()]
    counts = [(line['notes']['labelled'], line['notes']['unlabelled']) for line in log[:2]]
    assert counts == [(5, 7), (7, 5)]
    assert all(line['seconds']['score'] > 0.5 for line in log[:2])
    assert not list((tmp_path / 'query').iterdir())


def test_seeds_decide_and_global_random_numbers_stay(model, data_root):
    states = torch.random.get_rng_state(), np.random.get_state()[1]
    first, again, other = (begin(model, data_root, seed=seed)._order for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert torch.equal(states[0], torch.random.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])


def test_scores_are_places_in_the_order_of_the_probability():
    found = places(np.array([0.5, -3.0, 0.5, 2.0], np.float32))
    assert found.tolist() == [-0.25, 0, -0.25, -0.5]
    close = places(np.linspace(0.001, 0.002, 2000, dtype=np.float32))
    assert len(set(close.astype(np.float16))) == 2000  # though half precision compares them


def test_other_ranks_hear_of_the_main_process(monkeypatch):
    now, asked = [0.0], []
    monkeypatch.setattr(vaal.time, 'monotonic', lambda: now[0])
    tick = vaal._every(20.0, asked.append)
    for now[0] in range(0, 65, 5):
        tick()
    assert asked == [[], [], []]


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(size=48), 'VAALQuery.size=48 must be one of 32, 64 and 128'),
        (dict(channels=40), 'VAALQuery.channels=40 must be a multiple of 32'),
        (dict(latent=0), 'VAALQuery.latent=0 must be a whole number from 1 on'),
        (dict(iterations=2.5), 'VAALQuery.iterations=2.5 must be a whole number from 1 on'),
        (dict(num_workers=-1), 'VAALQuery.num_workers=-1 must be a whole number from 0 on'),
        (dict(beta=-1), 'VAALQuery.beta=-1 must be a finite number'),
        (dict(adversary='x'), "VAALQuery.adversary='x' must be a finite number"),
    ],
)
def test_a_wrong_option_is_refused(options, text):
    with pytest.raises(UserError, match=text):
        VAALQuery(**options)
