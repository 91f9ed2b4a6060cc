"""Vote entropy against a plain loop."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from helpers import build_model, tiny_segmentor
from query_runs import make_model, make_pool
from torch import nn

from mmseg_tsf.active_learning.pool.pool_pass import preprocess, score_pool
from mmseg_tsf.active_learning.pool.reader import PoolReader
from mmseg_tsf.active_learning.strategies.committee import QBCQuery, vote_entropy
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.seeding import draw_seed


def entropy_of_votes(votes) -> float:
    counts = Counter(votes)
    return -sum(n / len(votes) * math.log2(n / len(votes)) for n in counts.values())


def test_vote_entropy_by_hand():
    votes = torch.tensor([0, 1, 1, 2]).view(4, 1, 1, 1)
    assert vote_entropy(votes, 3).item() == pytest.approx(1.5)  # shares 1/4, 1/2, 1/4
    assert vote_entropy(torch.full((5, 1, 1, 1), 2), 3).item() == 0


@pytest.mark.parametrize('in_backbone', [False, True])
@torch.no_grad()
def test_passes_and_networks_vote(data_root, in_backbone):
    model, pool = make_model(segmentor=tiny_segmentor(dropout_ratio=0.5)), make_pool(data_root)
    if in_backbone:  # without it one pass of the backbone serves all passes of the head
        stem = model.teacher.backbone.stem
        model.teacher.backbone.stem = nn.Sequential(stem, nn.Dropout2d(0.5))
    item = PoolReader(pool, None, 0)[2]
    images = preprocess(model, [item])[0]
    passes = next(
        s for s in score_pool(model, pool, QBCQuery(passes=4), seed=5) if s.image.index == 2
    )
    networks = next(s for s in score_pool(model, pool, QBCQuery(networks=())) if s.image.index == 2)
    model.eval()
    votes = [model.run(name, images)[1].argmax(1)[0] for name in ('teacher', 'student')]
    expected = [
        [entropy_of_votes([int(v[i, j]) for v in votes]) for j in range(24)] for i in range(20)
    ]
    np.testing.assert_allclose(networks.scores[:20, :24], np.array(expected), atol=1e-3)
    for layer in model.teacher.modules():
        if isinstance(layer, nn.Dropout2d):
            layer.train()
    torch.manual_seed(draw_seed(5, 2))
    shown = model.run('teacher', images.expand(4, *images.shape[1:]))[1].argmax(1)
    expected = [[entropy_of_votes(shown[:, i, j].tolist()) for j in range(24)] for i in range(20)]
    np.testing.assert_allclose(passes.scores[:20, :24], np.array(expected), atol=1e-3)
    assert np.unique(passes.scores[:20, :24]).size > 1


def test_a_committee_of_one_is_refused():
    with pytest.raises(UserError, match='QBCQuery.passes=1: a committee needs two passes'):
        QBCQuery(passes=1)
    query = QBCQuery(networks=['student'])
    with pytest.raises(UserError, match='one network of this MeanTeacher, and a committee needs'):
        query.check(build_model('mt'))
    with pytest.raises(UserError, match='one network of this SupervisedOnly'):
        QBCQuery(networks=()).check(build_model('supervised'))
