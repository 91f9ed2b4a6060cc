"""DEAL's two scores against numpy's histograms and plain loops."""

import json
import math

import numpy as np
import pytest
import torch
from helpers import NUM_CLASSES, build_model
from query_runs import make_model, make_pool, make_query, run_query
from tiny_runs import active_learning_cfg, make_runner

from mmseg_tsf.active_learning.pool.grid_forward import GridForward
from mmseg_tsf.active_learning.pool.outputs import PoolOutputs
from mmseg_tsf.active_learning.pool.pool_pass import score_pool
from mmseg_tsf.active_learning.registry import QUERY_STRATEGIES
from mmseg_tsf.active_learning.selection.selection import select
from mmseg_tsf.active_learning.selection.selectors.images import ImageSelector
from mmseg_tsf.active_learning.strategies.deal import edges_repeated, histogram_entropy
from mmseg_tsf.utils.errors import UserError


def entropy_by_numpy(values: np.ndarray, bins: int) -> float:
    """The definition."""
    counts, _ = np.histogram(values, bins=bins)
    return -sum(p * math.log(p) for p in counts / counts.sum() if p > 0)


@pytest.fixture(scope='module')
def model():
    """The branch of its teacher makes images differ in more than the last bit of float16."""
    model = make_model().eval()
    model.part('difficulty', 'teacher').classifier.weight.data.mul_(20)
    return model


@pytest.fixture(scope='module')
def outputs(model):
    """Outputs of three images, the last two columns of which are padding."""
    logits = 2 * torch.randn(3, NUM_CLASSES, 9, 11, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(3, 9, 11, dtype=torch.bool)
    valid[:, :, 9:] = False
    return PoolOutputs(logits, torch.arange(3), valid=valid)


def difficulty_of(model, logits) -> np.ndarray:
    """The map of each image alone, at the size of the given logits."""
    branch = model.part('difficulty', 'teacher')
    with torch.no_grad():
        maps = [branch(own[None], logits.shape[2:]).sigmoid()[0] for own in logits]
    return torch.stack(maps).numpy()


def test_scores_are_those_of_the_network_that_predicts(data_root):
    for network in ('teacher', 'student'):
        model = make_model(test_cfg=dict(predict_on=network))
        model.part('difficulty', 'student').classifier.weight.data.mul_(-3)
        query = make_query('deal', model)
        assert query.branch is model.part('difficulty', network)


def test_difficulty_is_the_map_of_the_branch(model, outputs):
    found = make_query('deal', model).score(PoolOutputs(outputs.logits, outputs.keys))
    expected = difficulty_of(model, outputs.logits)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize('strategy', ['deal', 'deal_entropy'])
def test_padding_and_other_images_do_not_count(model, outputs, strategy):
    query = make_query(strategy, model)
    found = query.score(outputs).detach()
    other = outputs.logits.clone()
    other[:, :, :, 9:] = 7.0
    again = query.score(PoolOutputs(other, outputs.keys, valid=outputs.valid)).detach()
    assert torch.equal(found, again)
    for i in range(3):
        alone = PoolOutputs(
            outputs.logits[i : i + 1], torch.tensor([i]), valid=outputs.valid[i : i + 1]
        )
        torch.testing.assert_close(query.score(alone).detach()[0], found[i], atol=1e-6, rtol=0)


def test_entropy_is_that_of_each_image_s_histogram(model, outputs):
    query = make_query('deal_entropy', model)
    found = query.score(outputs).detach()
    assert found.shape == (3, 9, 11)
    repeated = outputs.logits.clone()
    repeated[:, :, :, 9:] = repeated[:, :, :, 8:9]
    maps = difficulty_of(model, repeated)[:, :, :9]
    for own, image in zip(found, maps, strict=True):
        assert own.unique().numel() == 1
        assert float(own[0, 0]) == pytest.approx(entropy_by_numpy(image, bins=4), rel=1e-5)


def test_histograms_equal_those_of_numpy():
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(4, 12, 13, generator=generator) ** 3
    values[2] = 0.3  # flat
    values[3] = (values[3] > 0.5) * 0.2 + 0.1  # two values
    mask = torch.rand(4, 12, 13, generator=generator) < 0.8
    for bins in (2, 8, 10):
        found = histogram_entropy(values, mask, bins)
        assert found[2] == 0
        for own, image, inside in zip(found, values.numpy(), mask.numpy(), strict=True):
            assert float(own) == pytest.approx(entropy_by_numpy(image[inside], bins), abs=1e-6)


def test_padding_repeats_the_nearest_cell():
    maps = torch.arange(24.0).view(1, 1, 4, 6)
    valid = torch.zeros(1, 4, 6, dtype=torch.bool)
    valid[:, :3, :4] = True
    found = edges_repeated(maps, valid)[0, 0]
    for y in range(4):
        for x in range(6):
            assert found[y, x] == maps[0, 0, min(y, 2), min(x, 3)]


@pytest.mark.parametrize('strategy', ['deal', 'deal_entropy'])
def test_images_are_asked_in_the_order_of_the_definition(data_root, model, strategy):
    pool = make_pool(data_root)
    expected = {}
    for index in range(len(pool)):
        data = pool.load(index)
        batch = dict(inputs=[data['inputs']], data_samples=[data['data_samples']])
        images = model.data_preprocessor(batch, False)['inputs']
        own = difficulty_of(model, model.show('teacher', images).grid_logits)[0]
        score = own.mean() if strategy == 'deal' else entropy_by_numpy(own, bins=4)
        expected[index] = np.float16(score)
    query = make_query(strategy, model, pool)
    scored = {s.image.index: s for s in score_pool(model, pool, query, batch_size=3)}
    selector = ImageSelector()
    for index, score in expected.items():
        (found,) = selector.candidates(scored[index]).scores
        assert float(found) == pytest.approx(float(score), rel=2e-3)
    chosen = select(model, pool, query, selector, 3, 'images', batch_size=2)
    best = sorted(expected, key=expected.get, reverse=True)[:3]
    assert {choice.index for choice in chosen} == set(best)


def test_a_network_without_the_branch_is_refused(data_root):
    with pytest.raises(UserError, match='the teacher of this MeanTeacher has none: set model.type'):
        run_query(build_model('mt'), make_pool(data_root), 'deal')
    with pytest.raises(UserError, match='DEALQuery asks a difficulty branch'):
        GridForward(build_model('supervised'), QUERY_STRATEGIES.build(dict(type='DEALQuery')))


@pytest.mark.parametrize(
    ('options', 'text'),
    [(dict(score='DS'), "score='DS' must be"), (dict(bins=1), 'bins=1 must be a whole number')],
)
def test_wrong_options_are_refused(options, text):
    with pytest.raises(UserError, match=f'DEALQuery.{text}'):
        QUERY_STRATEGIES.build(dict(type='DEALQuery', **options))


def test_a_campaign_asks_whole_images(data_root, tmp_path):
    cfg = active_learning_cfg(
        'deal',
        data_root,
        tmp_path,
        query=dict(type='DEALQuery', score='entropy'),
        selector=dict(type='ImageSelector'),
        budget=dict(total=9, unit='images'),
        start='fresh',
    )
    make_runner(cfg).train()
    lines = (tmp_path / 'active_learning.jsonl').read_text().splitlines()
    assert [json.loads(line)['spent']['images'] for line in lines] == [5, 7, 9]
