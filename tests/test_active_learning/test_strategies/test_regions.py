"""PixelPick, RIPU and S4AL against plain loops."""

import math

import numpy as np
import pytest
import torch
from mmseg.models.utils import resize
from query_runs import make_context, make_model, make_pool

from mmseg_tsf.active_learning.pool.outputs import PoolOutputs
from mmseg_tsf.active_learning.pool.pool_pass import preprocess, score_pool
from mmseg_tsf.active_learning.pool.reader import PoolReader
from mmseg_tsf.active_learning.selection.selection import select
from mmseg_tsf.active_learning.selection.selectors import GridSelector, PixelSelector
from mmseg_tsf.active_learning.strategies.regions import PixelPickQuery, RIPUQuery, S4ALQuery
from mmseg_tsf.utils.errors import UserError


def random_outputs(valid: bool = True) -> PoolOutputs:
    logits = 2 * torch.randn(2, 3, 8, 10, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 8, 10, dtype=torch.bool)
    mask[1, :, 7:], mask[1, 6:] = False, False
    return PoolOutputs(logits, torch.arange(2), valid=mask if valid else None)


def test_pixel_pick_draws_among_the_smallest_margins():
    outputs = random_outputs()
    score = PixelPickQuery(share=0.1).score(outputs)
    for image, number in ((0, 8), (1, 5)):  # a tenth of 80 and of 42 cells, rounded up
        top = outputs.probs[image].topk(2, dim=0).values
        margin = (top[0] - top[1])[outputs.valid[image]]
        own = score[image][outputs.valid[image]]
        drawn = margin <= margin.sort().values[number - 1]
        assert (own[drawn] == 0).all() and int(drawn.sum()) == number
        torch.testing.assert_close(own[~drawn], -1 - margin[~drawn])


def test_pixel_pick_asks_as_many_in_every_image(data_root):
    model, pool = make_model(), make_pool(data_root)
    selector = PixelSelector(suppression=0, max_per_image=4)
    asked = []
    for seed in (0, 1):
        choices = select(model, pool, PixelPickQuery(), selector, 4 * len(pool), seed=seed)
        assert [len(choice.units) for choice in choices] == [4] * len(pool)
        asked.append({(c.index, int(unit)) for c in choices for unit in c.units})
    assert asked[0] != asked[1]  # drawn anew in every round
    for share in (0, 1.5):
        with pytest.raises(UserError, match=f'PixelPickQuery.share={share} must lie'):
            PixelPickQuery(share)


@pytest.mark.parametrize('pixel', [False, True])
def test_ripu_is_impurity_times_entropy(pixel):
    outputs = random_outputs()
    score = RIPUQuery(radius=2, pixel=pixel).score(outputs)
    probs = outputs.logits.double().softmax(dim=1).numpy()
    for image in range(2):
        inside = outputs.valid[image].numpy()
        for y, x in zip(*inside.nonzero(), strict=True):
            window = [
                (i, j)
                for i in range(max(0, y - 2), min(8, y + 3))
                for j in range(max(0, x - 2), min(10, x + 3))
                if inside[i, j]
            ]
            entropy = [
                -sum(p * math.log(p) for p in probs[image, :, i, j]) / math.log(3)
                for i, j in window
            ]
            classes = [int(probs[image, :, i, j].argmax()) for i, j in window]
            shares = [classes.count(k) / len(classes) for k in set(classes)]
            impurity = -sum(s * math.log(s) for s in shares) / math.log(3)
            doubt = entropy[window.index((y, x))] if pixel else sum(entropy) / len(entropy)
            assert score[image, y, x].item() == pytest.approx(impurity * doubt, abs=1e-5)
    with pytest.raises(UserError, match='RIPUQuery.radius=0 must be'):
        RIPUQuery(radius=0)


@torch.no_grad()
def test_s4al_takes_the_entropy_of_mean_logits(data_root):
    model, pool = make_model(), make_pool(data_root)
    found = next(s for s in score_pool(model, pool, S4ALQuery()) if s.image.index == 1)
    images = preprocess(model.eval(), [PoolReader(pool, None, 0)[1]])[0]
    height, width = images.shape[2:]
    mean = 0
    for scale in (1.0, 0.5, 2.0):
        size = (round(scale * height), round(scale * width))
        shown = model.run('teacher', resize(images, size, mode='bilinear'))[1].double()
        mean = mean + resize(shown, (height // 2, width // 2), mode='bilinear') / 3
    probs = mean.softmax(dim=1)[0]
    entropy = -(probs * probs.log()).sum(dim=0) / math.log(4)
    np.testing.assert_allclose(found.scores, entropy.numpy(), atol=2e-3)


def test_s4al_asks_inner_squares_alone_and_as_many_of_each_image(data_root):
    model, pool = make_model(), make_pool(data_root)
    selector = GridSelector(8, inner=True, max_per_image=2)
    query = S4ALQuery()
    query.begin(make_context(model, pool))
    choices = select(model, pool, query, selector, 2 * len(pool), 'regions')
    assert [len(choice.units) for choice in choices] == [2] * len(pool)
    for choice in choices:
        row, column = np.divmod(choice.units, 6)  # 40x48 pixels are 5x6 squares
        assert row.min() >= 1 and row.max() <= 3 and column.min() >= 1 and column.max() <= 4
