"""What is kept of a round is what the network believed, and keeping it changes nothing."""

import random

import numpy as np
import pytest
import torch
from helpers import REFINED, model_cfg
from mmseg.registry import DATASETS
from tiny_runs import active_learning_cfg, make_runner, part_cfg

from mmseg_tsf.active_learning.store.label_png import decode
from mmseg_tsf.models.utils.labels import IGNORE_INDEX
from mmseg_tsf.reporting import snapshots
from mmseg_tsf.reporting.beliefs import believe, unnoticed
from mmseg_tsf.reporting.snapshots import (
    DECIDED,
    OPEN,
    Truth,
    count_wrong,
    keep_snapshot,
    most_asked,
    read_snapshot,
)
from mmseg_tsf.utils.errors import UserError

TEST_PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]


@pytest.fixture(scope='module')
def trained(tmp_path_factory, data_root):
    """A run with two answered rounds, of a method with a refinement."""
    options = dict(model=model_cfg('mt', **REFINED), query=dict(type='PLARQuery'))
    cfg = active_learning_cfg('mt', data_root, tmp_path_factory.mktemp('refined'), **options)
    runner = make_runner(cfg)
    runner.train()
    return runner


def keep(trained, folder, number=1, limit=3, truth=None):
    keep_snapshot(folder, number, trained.model, trained.train_loop.campaign, limit, truth)
    return read_snapshot(folder, trained.train_loop.store, number)


def belief_of(trained, image_id, rounds):
    campaign = trained.train_loop.campaign
    pool = campaign.pool
    (index,) = (i for i in range(len(pool)) if pool.image_id(i) == image_id)
    image = pool.image(index)
    image.manual = campaign.store.manual(image_id, rounds)
    with unnoticed(trained.model):
        return believe(trained.model, pool, image)


def test_files_are_what_was_believed_before_the_answer(trained, tmp_path):
    store, found = trained.train_loop.store, keep(trained, tmp_path)
    assert found.manifest['order'] == most_asked(store, 1, 3) and found.problems() == []
    for i, image_id in enumerate(found.manifest['order']):
        belief = belief_of(trained, image_id, range(1))
        pseudo = decode(found.read(f'{i:02d}_pseudo.png'), '')
        assert np.array_equal(pseudo, belief.pseudo.numpy())  # 40x48 is small already
        assert found.read(f'{i:02d}_image.jpg')[:2] == b'\xff\xd8'
        errors = decode(found.read(f'{i:02d}_errors.png'), '')
        assert np.array_equal(errors == DECIDED, belief.corrected.numpy())
        assert np.array_equal(errors == OPEN, (belief.flagged & ~belief.corrected).numpy())
        refined = decode(found.read(f'{i:02d}_refined.png'), '')
        changed = refined != IGNORE_INDEX
        assert np.array_equal(changed, (belief.refined != belief.pseudo).numpy())
        assert np.array_equal(refined[changed], belief.refined.numpy()[changed])


def test_a_refinement_leaves_what_people_have_labelled(trained):
    store = trained.train_loop.store
    image_id = most_asked(store, 0, 1)[0]
    before, after = (belief_of(trained, image_id, range(n)) for n in (0, 1))
    assert not before.known.any() and after.known.any()
    asked = torch.from_numpy(store.answer(0).labels(image_id) != IGNORE_INDEX)
    assert after.known[asked].all() and not (after.known & after.flagged).any()
    for belief in (before, after):
        assert belief.flagged.any() and not (belief.corrected & ~belief.flagged).any()
        changed = belief.refined != belief.pseudo
        assert not (changed & ~belief.corrected).any()


def test_wrong_pixels_are_counted_where_people_have_answered(trained, tmp_path):
    store, found = trained.train_loop.store, keep(trained, tmp_path)
    for image_id, notes in found.manifest['images'].items():
        answer = store.answer(1).labels(image_id)
        known = answer != IGNORE_INDEX
        pseudo = belief_of(trained, image_id, range(1)).pseudo.numpy()
        assert notes['known'] == known.sum() > 0
        assert notes['wrong'] == (pseudo != answer)[known].sum()
        right = count_wrong(np.where(known, answer, 0), store, 1, image_id)
        assert right == dict(known=known.sum(), wrong=0)


def test_accuracy_is_that_of_the_hidden_truth(trained, tmp_path, data_root):
    dataset = DATASETS.build(part_cfg(data_root, 'unlabelled.txt', TEST_PIPELINE))
    quality = keep(trained, tmp_path, truth=Truth(dataset, 4)).manifest['quality']
    order = most_asked(trained.train_loop.store, 1, 3)
    beliefs = [belief_of(trained, image_id, range(1)) for image_id in order]
    truths = [torch.from_numpy(decode((data_root / f'ann/{i}.png').read_bytes(), i)) for i in order]
    counts = [~b.known for b in beliefs]
    for stage, name in (('before', 'pseudo'), ('after', 'refined')):
        right = [
            (getattr(b, name) == t)[c] for b, t, c in zip(beliefs, truths, counts, strict=True)
        ]
        expected = 100 * torch.cat(right).float().mean()
        assert quality[f'{stage}.accuracy'] == pytest.approx(expected.item(), abs=1e-3)
    assert quality['images'] == 3


def test_masks_of_another_size_are_refused(trained, tmp_path, data_root):
    steps = [*TEST_PIPELINE[:2], dict(type='Resize', scale=(24, 20), keep_ratio=False)]
    dataset = part_cfg(data_root, 'unlabelled.txt', [*steps, TEST_PIPELINE[2]])
    with pytest.raises(UserError, match=r'ReportHook.truth shows .* as \(20, 24\), the pool as'):
        keep(trained, tmp_path, truth=Truth(DATASETS.build(dataset), 4))
    assert not list(tmp_path.rglob('*.png'))


def test_modes_weights_and_random_states_stay(trained, tmp_path, monkeypatch):
    def greedy(*args):
        torch.rand(3), np.random.rand(3), random.random()
        return believe(*args)

    monkeypatch.setattr(snapshots, 'believe', greedy)
    model = trained.model
    model.train()
    model.teacher.eval()
    states = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    keep(trained, tmp_path)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1] and random.getstate() == before[2]
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(states[key], value) for key, value in model.state_dict().items())


def test_it_is_kept_once_and_only_for_its_request(trained, tmp_path):
    first = keep(trained, tmp_path)
    manifest = first.path / 'manifest.json'
    written = manifest.stat().st_mtime_ns
    keep(trained, tmp_path)
    assert manifest.stat().st_mtime_ns == written
    assert len(keep(trained, tmp_path, limit=2).manifest['order']) == 2
    store = trained.train_loop.store
    assert read_snapshot(tmp_path, store, 0) is None
    first.path.rename(first.path.with_name('round_000'))
    assert read_snapshot(tmp_path, store, 0) is None  # of another round
    assert keep(trained, tmp_path, number=0).problems() == []


def test_without_a_refinement_the_prediction_is_kept(data_root, tmp_path):
    runner = make_runner(active_learning_cfg('supervised', data_root, tmp_path, rounds=1))
    runner.train()
    dataset = DATASETS.build(part_cfg(data_root, 'unlabelled.txt', TEST_PIPELINE))
    found = keep(runner, tmp_path, number=0, truth=Truth(dataset, 4))
    names = {name.split('_')[1] for name in found.manifest['files']}
    assert names == {'image.jpg', 'pseudo.png'} and found.manifest['quality'] == {}
    predicted = runner.train_loop._predict(found.manifest['order'][0])
    assert np.array_equal(decode(found.read('00_pseudo.png'), ''), predicted)
