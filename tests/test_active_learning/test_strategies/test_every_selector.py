"""What every strategy promises with every selector."""

from pathlib import Path

import numpy as np
import pytest
import torch
from query_runs import (
    STRATEGIES,
    FakeLabels,
    make_model,
    make_pool,
    plain,
    request_masks,
    run_query,
)

from mmseg_tsf.utils.errors import UserError

PIXELS = dict(type='PixelSelector')
SELECTORS = {
    'blocks': (dict(PIXELS, block=3, suppression=0), 'pixels', 100),
    'balanced': (dict(PIXELS, class_balanced=True), 'pixels', 25),
    'capped': (dict(PIXELS, class_balanced=True, max_per_image=5), 'regions', 25),
    'grid': (dict(type='GridSelector', size=8), 'regions', 9),
    'grid_pixels': (dict(type='GridSelector', size=7, class_balanced=True), 'pixels', 600),
    'superpixels': (dict(type='SuperpixelSelector', size=8), 'pixels', 600),
    'clicks': (dict(type='GridSelector', size=8), 'clicks', 44),
    'images': (dict(type='ImageSelector'), 'images', 3),
}
JOINT = ('core_set', 'core_set_euclidean', 'clasp', 'foreground_random')
# strategies that choose in a way of their own meet all selectors, the others take turns
ALL = ('random', 'plar', 'plar_paper_order', 'seed', *JOINT)
PAIRS = [
    (selector, strategy)
    for i, selector in enumerate(SELECTORS)
    for j, strategy in enumerate(STRATEGIES)
    if (strategy in ALL or i == j % len(SELECTORS)) and (selector, strategy) != ('images', 'seed')
]
ROUNDS = 2


@pytest.fixture(scope='module')
def model():
    return make_model()


@pytest.mark.parametrize(('selector', 'strategy'), PAIRS)
def test_rounds_keep_what_is_promised(model, data_root, selector, strategy):
    """Two rounds: the budget, nothing twice, nothing labelled, the same again, any batch size."""
    labels = FakeLabels()
    pool = make_pool(data_root, labels)
    # labelled by somebody who was never asked: an image, and the half of another
    labels.labels[pool.image_id(0)] = np.zeros((40, 48), np.uint8)
    labels.labels[pool.image_id(1)] = np.full((40, 48), 255, np.uint8)
    labels.labels[pool.image_id(1)][:20] = 2
    options, unit, budget = SELECTORS[selector]
    for number in range(ROUNDS):
        ask = dict(budget=budget, unit=unit, selector=dict(options), seed=number)
        choices = run_query(model, pool, strategy, **ask)
        assert plain(run_query(model, pool, strategy, batch_size=3, **ask)) == plain(choices)
        masks = request_masks(pool, choices, options)
        spent = sum(choice.cost for choice in choices)
        if unit == 'pixels':
            assert spent == sum(int(mask.sum()) for mask in masks.values())
        elif unit != 'clicks':
            assert spent == sum(len(choice.units) for choice in choices)
        # joint choices ask no block in part
        trimmed = options['type'] == 'PixelSelector' and strategy not in JOINT
        exact = unit in ('regions', 'images') or trimmed
        assert spent == budget if exact else 0.5 * budget < spent <= budget
        for index, mask in masks.items():
            assert mask.any() and mask.shape == (40, 48)
            assert not (mask & ~pool.image(index).free).any()
        labels.answer(pool, masks)


@pytest.mark.parametrize('strategy', ['random', 'plar', 'core_set'])
def test_masks_that_exist_are_not_opened(model, own_data_root, strategy, monkeypatch):
    expected = plain(run_query(model, make_pool(own_data_root), strategy))
    (own_data_root / 'there_is_no_such_folder').symlink_to(own_data_root / 'ann')
    pool, opened = make_pool(own_data_root), []
    assert Path(pool.dataset.get_data_info(0)['seg_map_path']).is_file()
    path_open = open

    def watched(file, *args, **kwargs):
        opened.append(str(file))
        return path_open(file, *args, **kwargs)

    monkeypatch.setattr('builtins.open', watched)
    assert plain(run_query(model, pool, strategy)) == expected
    assert any('/img/' in name for name in opened)
    assert not any('/ann/' in name or 'no_such_folder' in name for name in opened)


def test_a_network_with_infinite_logits_is_said(data_root):
    model = make_model()
    with torch.no_grad():
        model.teacher.decode_head.conv_seg.bias[0] = float('inf')
    for strategy in ('random', 'plar', 'qbc', 'core_set', 'clasp'):
        with pytest.raises(UserError, match='the scores of frame_5 are no numbers'):
            run_query(model, make_pool(data_root), strategy)
