"""Rounds on two ranks: either may die at any moment, and both ask what one would ask."""

from __future__ import annotations

import os
import signal

import pytest
from fault_runs import needs_cpu, rounds_cfg, tool
from helpers import REFINED, model_cfg, tiny_segmentor

from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.engine import ActiveLearningLoop
from mmseg_tsf.utils.files import is_leftover

Moments = tool.Moments
pytestmark = needs_cpu

# which rank dies, at which of its moments of a kind (counted from the last image that it scores, or
# from the end), and what may be on disk of the second round then
KILLS = {
    'training': (1, 'before a step', -1, {'answered'}),
    'writing a checkpoint': (0, 'after a checkpoint', -2, {'empty'}),
    'scoring': (0, 'after scoring', -1, {'empty'}),
    'the other one scoring': (1, 'before scoring', -1, {'empty'}),
    'writing a request': (0, 'before a rename of a request', 0, {'empty'}),
    'between request and answer': (0, 'before an answer', 0, {'asked'}),
    # a message to a dead rank may be noticed only with the next one
    'the other one between them': (1, 'before a broadcast of rank 0', 0, {'asked', 'answered'}),
    'writing an answer': (0, 'before a rename of an answer', 0, {'asked'}),
    'the other one meanwhile': (1, 'before a broadcast of rank 0', 3, {'answered'}),
}


def find(kinds: list[tuple[int, int, str]], rank: int, kind: str, which: int) -> int:
    """Number of a moment in its rank, see ``KILLS``."""
    own = [(number, k) for r, number, k in kinds if r == rank]
    scored = max(number for number, k in own if k == 'after scoring')
    return [n for n, k in own if k == kind and (which < 0 or n > scored)][which]


def start(cfg, ranks: int = 2) -> None:
    """A run to its end."""
    assert tool.run(cfg, [Moments() for _ in range(ranks)]) == [0] * ranks


@pytest.fixture(scope='module')
def whole(data_root, tmp_path_factory) -> tuple[dict, list]:
    """Outcome of a run that nobody kills, and its moments."""
    work_dir = tmp_path_factory.mktemp('ranks') / 'whole'
    kinds = tool.watched_run(rounds_cfg(data_root, work_dir), 2)
    return tool.outcome(work_dir), kinds


@pytest.mark.parametrize('name', KILLS)
def test_a_rank_that_dies_leaves_a_sound_store_and_a_run_to_go_on_with(
    name, whole, data_root, tmp_path
):
    reference, kinds = whole
    rank, kind, which, states = KILLS[name]
    fatal = find(kinds, rank, kind, which)
    moments = [Moments(fatal=fatal if own == rank else None) for own in (0, 1)]
    cfg = rounds_cfg(data_root, tmp_path)
    statuses = tool.run(cfg, moments, os.devnull)
    assert statuses[rank] == -signal.SIGKILL
    assert statuses[1 - rank] == 1  # it noticed by itself
    store = RoundStore(tmp_path / 'rounds')
    assert store.state(1) in states
    assert verify(store) == []
    cfg.resume = True
    start(cfg)
    assert tool.differences(reference, tool.outcome(tmp_path)) == []
    assert not any(is_leftover(path) for path in tmp_path.rglob('*'))


def test_the_report_of_rank_0_leaves_both_alone(whole, data_root, tmp_path):
    cfg = rounds_cfg(data_root, tmp_path)
    cfg.custom_hooks.append(dict(type='ReportHook', gallery=2))
    start(cfg)
    assert tool.differences(whole[0], tool.outcome(tmp_path)) == []
    assert (tmp_path / 'report' / 'index.html').is_file()
    assert len(list((tmp_path / 'report_data').iterdir())) == 2  # rounds


def test_two_ranks_ask_what_one_asks_where_the_model_is_the_same(data_root, tmp_path):
    """A network that never learns and has no statistics is the same whoever trains it."""
    found = []
    for ranks in (1, 2):
        segmentor = tiny_segmentor(norm=False)
        options = {key: value for key, value in REFINED.items() if key != 'error_head'}
        cfg = rounds_cfg(
            data_root, tmp_path / str(ranks), model=model_cfg('mt', segmentor, **options)
        )
        cfg.optim_wrapper.optimizer.lr = 1e-30  # 0 is refused
        start(cfg, ranks)
        store = RoundStore(tmp_path / f'{ranks}/rounds')
        found.append([store.request(n).info['files'] for n in store.numbers()])
    assert found[0] == found[1]
    assert len(found[0]) == 2 and found[0][0] != found[0][1]


def test_prelabels_are_predicted_by_all_ranks(data_root, tmp_path, monkeypatch):
    """Each its share, so that nobody waits for long; with the weights and statistics of rank 0."""
    predict = ActiveLearningLoop._predict

    def noted(loop, image_id):
        with open(tmp_path / f'{loop.runner.world_size}_{loop.runner.rank}', 'a') as file:
            file.write(f'{image_id}\n')
        return predict(loop, image_id)

    monkeypatch.setattr(ActiveLearningLoop, '_predict', noted)
    written = []
    for ranks in (1, 2):
        cfg = rounds_cfg(data_root, tmp_path / str(ranks), oracle=dict(type='FolderOracle'))
        cfg.optim_wrapper.optimizer.lr = 1e-30  # 0 is refused
        cfg.train_cfg.stages = [0, 3, 3]
        start(cfg, ranks)
        folder = tmp_path / f'{ranks}/annotation/round_000/prelabels'
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    names = [path.removesuffix('.png') for path in sorted(written[0])]
    assert len(names) == 7 and written[0] == written[1]
    shares = [(tmp_path / name).read_text().split() for name in ('1_0', '2_0', '2_1')]
    assert shares == [names, names[::2], names[1::2]]
