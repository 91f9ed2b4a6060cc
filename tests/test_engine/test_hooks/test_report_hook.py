"""A page after every round, and a training that does not notice it."""

import copy
import random
import re

import numpy as np
import pytest
import torch
from helpers import REFINED, model_cfg
from mmengine.hooks import Hook
from tiny_runs import active_learning_cfg, make_runner, part_cfg, tiny_runner_cfg

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.active_learning.store.label_png import decode
from mmseg_tsf.engine.hooks import report_hook
from mmseg_tsf.engine.hooks.report_hook import ReportHook, model_of_query
from mmseg_tsf.reporting.beliefs import believe, unnoticed
from mmseg_tsf.reporting.snapshots import read_snapshot
from mmseg_tsf.utils.errors import UserError

TEST_PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
REFINE = dict(query=dict(type='PLARQuery'), first_query=dict(type='SeedQuery', threshold=0.99))


class Watch(Hook):
    """Notes the losses and the random states of every iteration."""

    priority = 'HIGHEST'

    def __init__(self) -> None:
        self.states, self.losses = [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        numpy_state = np.random.get_state()[1].tolist()
        self.states.append((torch.get_rng_state().tolist(), numpy_state, random.getstate()))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.losses.append({name: float(value) for name, value in outputs.items()})


def run(root, work_dir, *hooks, method='tsf', resume=False, **options):
    """A finished run of two rounds."""
    options.setdefault('model', model_cfg(method, **REFINED) if method == 'tsf' else None)
    cfg = active_learning_cfg(method, root, work_dir, **options)
    cfg.resume = resume
    runner = make_runner(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


@pytest.fixture(scope='module', params=['continue', 'fresh'])
def both(request, data_root, tmp_path_factory):
    """Folder, runner and watch of a run with the hook and of one without it."""
    truth = part_cfg(data_root, 'unlabelled.txt', TEST_PIPELINE)
    found = []
    for hooks in ([ReportHook(gallery=2, truth=truth)], []):
        folder, watch = tmp_path_factory.mktemp('run'), Watch()
        runner = run(data_root, folder, watch, *hooks, start=request.param, **REFINE)
        found.append((folder, runner, watch, torch.get_rng_state()))
    return found


def test_a_run_with_it_equals_a_run_without_it(both):
    (folder, one, watch, state), (bare, two, other, expected) = both
    assert len(watch.states) == 6 and watch.states == other.states
    assert watch.losses == other.losses and torch.equal(state, expected)
    weights, others = one.model.state_dict(), two.model.state_dict()
    assert all(torch.equal(weights[key], others[key]) for key in weights)
    assert repr(one.optim_wrapper.state_dict()) == repr(two.optim_wrapper.state_dict())
    stores = [RoundStore(path / 'rounds') for path in (folder, bare)]
    for number in (0, 1):
        files = [store.request(number).info['files'] for store in stores]
        assert files[0] == files[1]
    assert (folder / 'report/index.html').exists() and not (bare / 'report').exists()


def test_kept_is_what_the_weights_of_the_query_believed(both):
    (folder, runner, _, _), _ = both
    store, pool = runner.train_loop.store, runner.train_loop.campaign.pool
    model = copy.deepcopy(runner.model)
    for number, iteration in enumerate((2, 4)):
        found = read_snapshot(folder, store, number)
        checkpoint = torch.load(folder / f'iter_{iteration}.pth', weights_only=False)
        model.load_state_dict(checkpoint['state_dict'])
        for i, image_id in enumerate(found.manifest['order']):
            (index,) = (j for j in range(len(pool)) if pool.image_id(j) == image_id)
            image = pool.image(index)
            image.manual = store.manual(image_id, range(number))
            with unnoticed(model):
                belief = believe(model, pool, image)
            kept = decode(found.read(f'{i:02d}_pseudo.png'), '')
            assert np.array_equal(kept, belief.pseudo.numpy())


def test_hidden_truth_is_measured(both):
    folder = both[0][0]
    quality = read_snapshot(folder, RoundStore(folder / 'rounds'), 1).manifest['quality']
    assert quality['images'] == 2 and 0 <= quality['before.accuracy'] <= 100
    assert 'Accuracy in the images of the gallery' in (folder / 'report/index.html').read_text()


def test_the_page_grows_with_every_round(data_root, tmp_path):
    seen = []

    class Look(Hook):
        priority = 'LOWEST'

        def after_labels_change(self, runner) -> None:
            seen.append((tmp_path / 'report/index.html').read_text())

    run(data_root, tmp_path, ReportHook(gallery=2), Look(), method='supervised')
    pages = [*seen, (tmp_path / 'report/index.html').read_text()]
    rounds = [re.findall(r'class="round" data-round="(\d)"', page) for page in pages]
    assert rounds == [['0'], ['0', '1'], ['0', '1']]
    assert 'It waits for training up to round 1' in pages[0]
    assert 'Training is finished.' in pages[2] and 'MiB' in pages[2]
    assert all(
        page.count('class="frame"') == 2 * len(r) for page, r in zip(pages, rounds, strict=True)
    )


def test_people_see_what_is_asked_and_later_what_they_said(data_root, tmp_path):
    options = dict(method='mt', rounds=1, oracle=dict(type='FolderOracle'))
    run(data_root, tmp_path, ReportHook(gallery=2), **options)
    store = RoundStore(tmp_path / 'rounds')
    page = (tmp_path / 'report/index.html').read_text()
    assert 'It waits for the answer of round 0 by FolderOracle' in page
    assert 'class="layer request"' in page and 'class="layer answer"' not in page
    assert 'class="layer pseudo"' in page
    for image_id in store.request(0).images:
        answer = tmp_path / f'annotation/round_000/answers/{image_id}.png'
        answer.write_bytes((data_root / f'ann/{image_id}.png').read_bytes())
    run(data_root, tmp_path, ReportHook(gallery=2), resume=True, **options)
    page = (tmp_path / 'report/index.html').read_text()
    assert 'class="layer answer"' in page and 'were wrong' in page
    found = read_snapshot(tmp_path, RoundStore(tmp_path / 'rounds'), 0)
    assert all(notes['known'] for notes in found.manifest['images'].values())


def test_what_fails_is_said_in_a_sentence_and_training_goes_on(data_root, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(report_hook, 'print_log', lambda text, *_: said.append(text))
    monkeypatch.setattr(report_hook, 'write_report', lambda *_, **__: 1 / 0)
    truth = part_cfg(data_root, 'missing.txt')
    runner = run(data_root, tmp_path, ReportHook(truth=truth), method='mt')
    assert runner.iter == 6
    page = 'the report could not be written, but training continues: division by zero'
    assert said.count(page) == 3 and len(said) == 5
    thumbnails = [text for text in said if text != page]
    assert all(text.startswith('the thumbnails for the report could not') for text in thumbnails)
    assert all('missing.txt' in text and '\n' not in text for text in thumbnails)


def test_only_the_main_process_writes(data_root, tmp_path, monkeypatch):
    monkeypatch.setattr(report_hook, 'is_main_process', lambda: False)
    run(data_root, tmp_path, ReportHook(), method='mt')
    assert not (tmp_path / 'report').exists() and not (tmp_path / 'report_data').exists()


def test_runs_without_rounds_get_a_page_at_their_end(data_root, tmp_path):
    runner = make_runner(tiny_runner_cfg('mt', data_root, tmp_path))
    runner.register_hook(ReportHook())
    runner.train()
    page = (tmp_path / 'report/index.html').read_text()
    assert 'MeanTeacher, 4 iterations from 5 labelled images; finished.' in page
    assert not (tmp_path / 'report_data').exists()


def test_the_model_of_a_fresh_start_is_a_copy(data_root, tmp_path):
    runner = run(data_root, tmp_path, start='fresh', method='mt')
    runner.train_loop._iter = 4
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    asked = model_of_query(runner).state_dict()
    assert any(not torch.equal(before[key], value) for key, value in asked.items())
    assert all(torch.equal(before[key], v) for key, v in runner.model.state_dict().items())


@pytest.mark.parametrize('gallery', [-1, 2.0, None])
def test_a_wrong_gallery_is_refused(gallery):
    with pytest.raises(UserError, match='ReportHook.gallery=.* whole number'):
        ReportHook(gallery=gallery)
