"""Rank 0 works, the others help and hear what came of it."""

from __future__ import annotations

import json

import pytest
import torch.distributed as dist

from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.main_process import Ahead, on_main_process, with_help_of_all
from mmseg_tsf.utils.processes import run_forked


def on_ranks(work, folder, ranks: int = 2) -> list:
    """What ``work(rank)`` returns, or the message of its error, on each of some gloo ranks."""

    def rank_alone(rank):
        meeting = f'file://{folder}/meeting'
        dist.init_process_group('gloo', meeting, rank=rank, world_size=ranks)
        try:
            found = work(rank)
        except ValueError as error:
            found = f'error: {error}'
        (folder / f'{rank}.json').write_text(json.dumps(found))
        dist.barrier()
        dist.destroy_process_group()

    assert run_forked(rank_alone, ranks) == [0] * ranks
    return [json.loads((folder / f'{rank}.json').read_text()) for rank in range(ranks)]


def refuse(sentence):
    raise UserError(sentence)


def test_only_one_process_works_and_all_hear_of_it(tmp_path):
    assert on_ranks(lambda rank: on_main_process(lambda: rank), tmp_path, 3) == [0, 0, 0]


def test_what_the_main_process_meets_is_met_by_all(tmp_path):
    found = on_ranks(lambda rank: on_main_process(lambda: refuse(f'by {rank}')), tmp_path)
    assert found == ['error: by 0'] * 2


@pytest.mark.parametrize('ranks', [1, 2, 3])
def test_items_are_shared_and_come_back_in_order(tmp_path, ranks):
    def work(rank):
        def main(ask):
            ahead = Ahead(ask, 'abcde')
            return [ask([0, 1, 2, 3]), ask([]), [ahead(item) for item in 'abcdeac']]

        return with_help_of_all(main, lambda item: [item, rank])

    first, *others = on_ranks(work, tmp_path, ranks)
    assert first[0] == [[item, item % ranks] for item in range(4)]
    assert first[1] == []
    assert [item for item, _ in first[2]] == list('abcdeac')
    assert [rank for _, rank in first[2][:5]] == [place % ranks for place in range(5)]
    assert others == [first] * (ranks - 1)


def test_an_error_of_a_helper_ends_the_work_everywhere(tmp_path):
    def work(rank):
        def helper(item):
            return refuse(f'{item} by {rank}') if rank else item

        return with_help_of_all(lambda ask: ask('abc'), helper)

    assert on_ranks(work, tmp_path, 3) == ['error: b by 1'] * 3


def test_an_error_between_two_questions_leaves_nobody_waiting(tmp_path):
    def work(rank):
        return with_help_of_all(lambda ask: refuse(f'after {ask("ab")}'), str.upper)

    assert on_ranks(work, tmp_path) == ["error: after ['A', 'B']"] * 2


def test_one_process_alone_asks_itself():
    assert with_help_of_all(lambda ask: Ahead(ask, 'ab')('b'), str.upper) == 'B'
    with pytest.raises(UserError, match='no'):
        with_help_of_all(lambda ask: ask('a'), lambda item: refuse('no'))
