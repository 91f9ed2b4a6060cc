"""What may be asked and what was paid, by hand."""

import pytest
from stores import CAMPAIGN, IDS, asked, make_store, said, write_request

from mmseg_tsf.active_learning import Budget, spent
from mmseg_tsf.utils.errors import UserError

AVAILABLE = dict(pixels=1000, images=40)


@pytest.mark.parametrize(
    ('options', 'paid', 'left'),
    [
        (dict(total=0.24), 150, 90),
        (dict(total=240), 150, 90),
        (dict(total=0.1), 150, 0),  # never below 0
        (dict(total=1.0), 150, 850),  # a share
        (dict(total=1), 0, 1),  # one pixel
        (dict(total=0.2, unit='images'), 5, 3),
        (dict(total=70, unit='regions'), 50, 20),
    ],
)
def test_what_is_left(options, paid, left):
    budget = Budget(**options)
    assert budget.left({budget.unit: paid}, AVAILABLE) == left


def test_rounds_share_what_is_left():
    budget, paid, amounts = Budget(total=100), 0, []
    for rounds_left in (3, 2, 1):
        amounts.append(budget.for_round(rounds_left, dict(pixels=paid), AVAILABLE))
        paid += amounts[-1]
    assert amounts == [34, 33, 33]


def test_a_round_costs_no_more_than_per_round_and_no_more_than_is_left():
    budget = Budget(total=0.1, per_round=0.06)
    assert budget.for_round(5, dict(pixels=0), AVAILABLE) == 60
    assert budget.for_round(4, dict(pixels=60), AVAILABLE) == 40
    assert budget.for_round(3, dict(pixels=100), AVAILABLE) == 0


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(total=0), 'budget.total=0 must be a share'),
        (dict(total=1.5), 'budget.total=1.5 must be a share'),
        (dict(total=True), 'budget.total=True'),
        (dict(total=5, per_round=-1), 'budget.per_round=-1'),
        (dict(total=5, unit='hours'), 'budget.unit must be one of pixels'),
        (dict(total=0.5, unit='regions'), 'give an amount'),
        (dict(total=9, per_round=0.5, unit='regions'), 'budget.per_round=0.5 is a share'),
        (dict(total=0.5, unit='clicks'), 'of clicks there is no total'),
    ],
)
def test_wrong_options_are_named(options, text):
    with pytest.raises(UserError, match=text):
        Budget(**options)


def test_everything_asked_is_paid_and_images_count_once(tmp_path):
    store = make_store(tmp_path, answered=2)
    write_request(store, 2)  # not answered: not paid yet
    initial = CAMPAIGN['initial']
    assert spent(store, initial) == dict(
        pixels=96 + 2 * 2 * 16, images=2 + 2, regions=2 + 4, clicks=4 * 5
    )
    assert spent(store, initial, before=1)['pixels'] == 96 + 2 * 16
    assert spent(store, initial, before=0) == initial


def test_images_without_an_answer_are_not_paid(tmp_path):
    store = make_store(tmp_path, answered=0)
    write_request(store, 0)
    store.write_answer(0, [(IDS[1], said(0), {})], {})
    assert spent(store, {}) == dict(pixels=int(asked(0).sum()), images=1, regions=1, clicks=5)
