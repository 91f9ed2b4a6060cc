"""The strategy and the selector of docs/extending.md against plain loops, and on two ranks."""

import json

import numpy as np
import pytest
import torch
from extending import run_section
from extending_query_jobs import COUNTS, ask, joint_choices, made_up_candidates, make_query, work
from helpers import REFINED, TAPS, tiny_segmentor
from PIL import Image
from query_runs import make_model, scored_image
from tiny_runs import INITIAL, active_learning_cfg, make_runner
from torch import nn

from mmseg_tsf.active_learning.pool.grid_forward import GridForward
from mmseg_tsf.active_learning.pool.pool import PoolImage
from mmseg_tsf.active_learning.selection.selectors import GridSelector, Selector
from mmseg_tsf.active_learning.strategies import EntropyQuery
from mmseg_tsf.models.utils.views import NetworkView
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.seeding import draw_seed


def seen(model, pool, index: int, passes: int = 3, seed: int = 7):
    """Score and embedding of an image by plain passes of the bare network."""
    data = pool.load(index)
    batch = dict(inputs=[data['inputs']], data_samples=[data['data_samples']])
    model.eval()
    images = model.data_preprocessor(batch, False)['inputs']
    with torch.no_grad():
        view = model.show('teacher', images, TAPS)
        predicted = view.grid_logits.argmax(dim=1)
        for layer in model.teacher.modules():
            if isinstance(layer, nn.Dropout2d):
                layer.train()
        torch.manual_seed(draw_seed(seed, index))
        repeated = model.run('teacher', images.expand(passes, *images.shape[1:]))[1]
    probs = repeated.double().softmax(dim=1)
    mean = probs.mean(dim=0)
    gain = -(mean * mean.log()).sum(0) + (probs * probs.log()).sum(1).mean(0)
    rarity = 1 - torch.tensor(COUNTS).double() / sum(COUNTS)
    return gain * rarity[predicted[0]], view.features[-1].mean(dim=(2, 3))[0]


def test_images_are_chosen_as_plain_loops_choose_them(data_root):
    model, pool, labelled = make_query(data_root)
    centres = [seen(model, labelled, i)[1].half().float() for i in range(len(labelled))]
    centres.append(seen(model, pool, 4)[1])
    found = {i: seen(model, pool, i)[1].half().float() for i in range(len(pool))}
    expected = []
    for _ in range(3):
        far = {
            i: min(float((own - centre).square().sum()) for centre in centres)
            for i, own in found.items()
            if i not in expected
        }
        expected.append(max(far, key=far.get))
        centres.append(found[expected[-1]])
    choices, notes = ask(data_root)
    assert [choice[0] for choice in choices] == sorted(expected)
    assert notes['images'] == len(pool) + len(labelled)
    assert ask(data_root, batch_size=3)[0] == choices


def test_passes_score_as_plain_loops_do(data_root):
    model, pool, _ = make_query(data_root)
    strategy = run_section('A query strategy')['DiverseDisagreement'](passes=3)
    strategy.rarity = 1 - torch.tensor(COUNTS).float() / sum(COUNTS)
    strategy.images = 0
    data = [pool.load(i) for i in (2, 5)]
    batch = dict(
        inputs=[own['inputs'] for own in data], data_samples=[own['data_samples'] for own in data]
    )
    model.eval()
    images = model.data_preprocessor(batch, False)['inputs']
    valid = torch.ones(images[:, 0].shape, dtype=torch.bool)
    before = torch.random.get_rng_state()
    outputs = GridForward(model, strategy)(images, torch.tensor([2, 5]), 7, None, valid)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(layer.training for layer in model.modules())
    for i, index in enumerate((2, 5)):
        expected = seen(model, pool, index)[0]
        torch.testing.assert_close(strategy.score(outputs)[i].double(), expected, atol=1e-5, rtol=0)


class Committee(EntropyQuery):
    """Keeps what it is shown."""

    networks = ()

    def score(self, outputs):
        self.outputs = outputs
        return super().score(outputs)


def test_a_committee_is_every_network_of_the_model(data_root):
    model, pool, _ = make_query(data_root)
    model.eval()
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(2, 32, 32, dtype=torch.bool)
    found = GridForward(model, Committee())(images, torch.arange(2), 0, None, valid).committee
    assert found.shape[:2] == (2, 2)
    for own, name in zip(found, model.network_names, strict=True):
        torch.testing.assert_close(own, model.show(name, images).grid_logits)
    query = Committee()
    query.networks = ('tutor',)
    with pytest.raises(UserError, match='Committee asks the networks tutor: .* teacher, student'):
        GridForward(model, query)


def test_what_a_strategy_needs_is_checked_before_the_pass(data_root):
    strategy = run_section('A query strategy')['DiverseDisagreement']()
    with pytest.raises(UserError, match='DiverseDisagreement takes passes with dropout'):
        GridForward(make_model(segmentor=tiny_segmentor()), strategy)
    query = EntropyQuery()
    query.needs = ('error_probability',)
    with pytest.raises(UserError, match='needs the error probability'):
        GridForward(make_model(error_head=None), query)
    model = make_model().eval()
    images, valid = torch.randn(1, 3, 32, 32), torch.ones(1, 32, 32, dtype=torch.bool)
    outputs = GridForward(model, query)(images, torch.arange(1), 0, None, valid)
    view = model.show('teacher', images, TAPS)
    on_grid = NetworkView(view.grid_logits, view.features, view.grid_logits.shape[2:])
    expected = model.refinement.error_probability(on_grid)
    torch.testing.assert_close(outputs.error_probability, expected)


def plain_k_center(candidates, metric: str) -> list[int]:
    """The definition, one distance at a time."""
    records, embeddings = candidates.records(), candidates.embeddings().astype(np.float64)
    centres, left, chosen = list(candidates.centres.astype(np.float64)), candidates.budget, []
    while True:
        best = None
        for i, (record, own) in enumerate(zip(records, embeddings, strict=True)):
            if i in chosen or record['cost'] > left:
                continue
            gaps = []
            for centre in centres:
                norm = max(np.linalg.norm(own) * np.linalg.norm(centre), 1e-12)
                cosine = 1 - own @ centre / norm
                gaps.append(((own - centre) ** 2).sum() if metric == 'euclidean' else cosine)
            offer = (round(min(gaps), 5), record['key'], i)
            best = offer if best is None or offer > best else best
        if best is None:
            return [int(records['index'][i]) for i in chosen]
        chosen.append(best[2])
        left -= records['cost'][best[2]]
        centres.append(embeddings[best[2]])


def test_joint_choices_equal_their_definitions():
    candidates, found = made_up_candidates(), joint_choices()
    assert found['euclidean'] == plain_k_center(candidates, 'euclidean')
    assert found['cosine'] == plain_k_center(candidates, 'cosine')
    records, expected = candidates.records(), []
    for group, quota in ((0, 6), (2, 9)):
        for record in sorted(records[records['group'] == group], key=lambda r: -int(r['key'])):
            if record['cost'] <= quota:
                quota -= record['cost']
                expected.append(int(record['index']))
    assert found['groups'] == expected


def test_two_ranks_choose_as_one(data_root, tmp_path):
    torch.multiprocessing.spawn(work, (str(data_root), str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f'rank{i}.pt', weights_only=False) for i in (0, 1))
    assert first == second
    assert first[0] == ask(data_root)
    assert first[2] == joint_choices()


def test_a_campaign_with_the_strategy(data_root, tmp_path):
    run_section('A query strategy')
    model = dict(type='MeanTeacher', weight=1.0, segmentor=tiny_segmentor(dropout_ratio=0.5))
    cfg = active_learning_cfg(
        'mt',
        data_root,
        tmp_path,
        model={**model, **REFINED},
        query=dict(type='DiverseDisagreement'),
        selector=dict(type='ImageSelector'),
        budget=dict(total=INITIAL // 1920 + 3, unit='images'),
    )
    runner = make_runner(cfg)
    counts, begin = [], type(runner.train_loop.campaign.query).begin

    def noted(self, context):
        counts.append(context.class_counts())
        (context.folder / 'x').parent.mkdir(parents=True)
        begin(self, context)

    runner.train_loop.campaign.query.begin = noted.__get__(runner.train_loop.campaign.query)
    runner.train()
    log = [json.loads(x) for x in (tmp_path / 'active_learning.jsonl').read_text().splitlines()]
    assert [line['notes'] for line in log[:2]] == [dict(images=12)] * 2
    masks = [np.asarray(Image.open(data_root / 'ann' / f'frame_{i}.png')) for i in range(5)]
    assert counts[0].tolist() == np.bincount(np.stack(masks).ravel(), minlength=4).tolist()
    asked = runner.train_loop.campaign.store.answer(0).images
    more = sum(np.array(notes['classes']) for notes in asked.values())
    assert counts[1].tolist() == (counts[0] + more).tolist()
    assert not list((tmp_path / 'query').iterdir())  # scratch of finished rounds is removed


def test_stripes_are_asked_whole():
    selector = run_section('A selector')['StripeSelector'](size=8)
    image = PoolImage(0, 'x', (20, 6))
    regions = selector.regions(image)
    assert (
        regions[:, 0].tolist() == [0] * 8 + [1] * 8 + [2] * 4 and (regions == regions[:, :1]).all()
    )
    scored = scored_image(np.arange(30).reshape(5, 6), size=(20, 24))
    scored.embedding = np.arange(60, dtype=np.float32).reshape(2, 5, 6)
    found = selector.candidates(scored)
    assert found.units.tolist() == [0, 1, 2] and found.pixels.tolist() == [192, 192, 96]
    expected = [scored.embedding[:, rows].mean(axis=(1, 2)) for rows in ([0, 1], [2, 3], [4])]
    np.testing.assert_allclose(selector.embeddings(scored, found.units), expected)
    by_masks = Selector._unit_means(selector, scored, found.units)  # that of other selectors
    np.testing.assert_allclose(by_masks, expected)
    small = Selector._unit_means(GridSelector(2), scored, np.array([0]))
    np.testing.assert_allclose(small, scored.embedding[:, 0, :1].T)  # no centre: the cell around it
