"""Figures and tables of compared runs, on run folders that are written by hand."""

import json
import statistics

import pytest
from compared_runs import write_compared
from scipy import stats

from mmseg_tsf.reporting.comparison import compare_strategies, find_runs, read_compared
from mmseg_tsf.reporting.comparison_tables import title_of, to_markdown
from mmseg_tsf.utils.errors import UserError

RANDOM = [[30.0, 35.0, 40.0], [32.0, 36.0, 42.0], [31.0, 36.0, 41.5]]
ENTROPY = [[30.0, 39.0, 45.0], [32.0, 41.0, 47.0], [31.0, 39.0, 47.0]]


@pytest.fixture
def grid(tmp_path):
    """Two strategies with three seeds each; labels are measured for one of them."""
    for seed in range(3):
        shared = dict(first_stage=dict(folder='x')) if seed else {}
        write_compared(tmp_path, 'random', seed, RANDOM[seed], **shared)
        quality = {'mIoU': 60.0 + seed, 'accuracy': 90.0, 'asked': 12.5}
        write_compared(tmp_path, 'entropy', seed, ENTROPY[seed], quality=quality)
    return tmp_path


def compared(folder):
    return compare_strategies([read_compared(path) for path in find_runs(folder)[0]])


def area(scores, shares=(10.0, 20.0, 30.0)):
    """Trapezoids by hand."""
    parts = zip(scores, scores[1:], shares, shares[1:], strict=False)
    return sum((a + b) / 2 * (y - x) for a, b, x, y in parts) / (shares[-1] - shares[0])


def test_figures_of_each_strategy(grid):
    (group,) = compared(grid)
    entropy, random = group['methods']
    assert (entropy['name'], random['seeds']) == ('entropy_net_1xb4_toy', [0, 1, 2])
    areas = [area(scores) for scores in RANDOM]
    assert random['aubc']['mean'] == pytest.approx(statistics.fmean(areas))
    assert random['aubc']['sd'] == pytest.approx(statistics.stdev(areas))
    assert random['scores']['aubc'] == pytest.approx(dict(enumerate(areas)))
    assert random['final']['mean'] == pytest.approx((40 + 42 + 41.5) / 3)
    assert [point['mean'] for point in entropy['curve']] == pytest.approx([31, 119 / 3, 139 / 3])
    assert [point['spend'] for point in entropy['curve']] == pytest.approx([10, 20, 30])
    assert entropy['labels']['mIoU'] == dict(mean=61.0, sd=1.0, n=3) and random['labels'] == {}
    assert random['spent']['pixels']['mean'] == 300 and random['spent']['clicks']['mean'] == 8
    assert random['query_seconds'] == pytest.approx((2.5 + 3.5) / 2)
    assert (random['shared'], entropy['shared']) == (2, 0)
    assert random['iters'] == [90] and random['commits'] == ['0123456789ab']


def test_pairs_are_of_equal_seeds(grid):
    (group,) = compared(grid)
    (final,), (aubc,) = group['pairs']['final'], group['pairs']['aubc']
    differences = [e[-1] - r[-1] for e, r in zip(ENTROPY, RANDOM, strict=True)]
    interval = stats.t.interval(0.95, 2, statistics.fmean(differences), stats.sem(differences))
    assert (final['low'], final['high']) == pytest.approx(interval)
    assert final['verdict'] == 'win' and final['seeds'] == [0, 1, 2]
    differences = [area(e) - area(r) for e, r in zip(ENTROPY, RANDOM, strict=True)]
    interval = stats.t.interval(0.95, 2, statistics.fmean(differences), stats.sem(differences))
    assert (aubc['low'], aubc['high']) == pytest.approx(interval)
    wins = group['wins']['final']
    assert wins['entropy_net_1xb4_toy'] == dict(win=1, loss=0, open=0)
    assert wins['random_net_1xb4_toy'] == dict(win=0, loss=1, open=0)
    json.dumps(group)


def test_other_data_and_schedules_are_groups_of_their_own(grid):
    write_compared(grid, 'random', 0, RANDOM[0], data='other')
    write_compared(grid, 'longer', 0, RANDOM[0], max_iters=180)
    groups = compared(grid)
    names = [[row['name'].split('_')[0] for row in group['methods']] for group in groups]
    assert sorted(names) == [['entropy', 'random'], ['longer'], ['random']]
    text = to_markdown(groups)
    assert '## All 3 groups' in text and '\n| longer | 0 | 30.00 |' in text
    overall = text[text.index('## All 3') :].split('## ')[1]
    assert '| entropy | 1 / 0 / 0 | ' in overall and '| longer | – | – |' in overall


def test_unfinished_runs_are_left_out_and_named(grid):
    path = write_compared(grid, 'random', 3, [1.0, 2.0, 3.0], finished=False)
    done, others = find_runs(grid)
    assert len(done) == 6 and others == [path]
    text = to_markdown(compared(grid), others)
    assert text.endswith(f'## Unfinished runs, left out\n\n- `{path}`\n')


def test_the_tables_say_where_they_come_from(grid):
    groups = compared(grid)
    text = to_markdown(groups)
    assert title_of(groups[0]) == 'net, 1xb4, toy'
    assert '- labelled: 2 images, `splits/labelled.txt` (sha256 abababababababab)' in text
    assert '- at most 80 % of all pixels, the initial labels included, in 2 rounds' in text
    assert '90 iterations of 8 labelled images, rounds after 30, 60, every stage trained' in text
    rows = {line.split(' | ')[0]: line for line in text.splitlines() if line.startswith('| ')}
    assert '| entropy − random' in rows
    interval = stats.t.interval(0.95, 2, 31 / 6, stats.sem([5, 5, 5.5]))
    cells = rows['| entropy − random'].split(' | ')
    assert cells[1:3] == ['3', f'+5.17 ({interval[0]:+.2f} to {interval[1]:+.2f}) *']
    assert '| strategy | seeds | 10 | 20 | 30 | last mIoU | AUBC |' in text
    assert '| random | 0, 1, 2 | 31.00 ± 1.00 | 35.67 ± 0.58 | 41.17 ± 1.04 |' in text
    assert '| entropy | 61.00 ± 1.00 | 90.00 ± 0.00 | 12.50 ± 0.00 |' in text
    assert '| random | – | – | – |' in text
    assert '| random | 4 | 300 | 9 | 8 | 3.0 |' in text
    assert '| `configs/random_net_1xb4_toy.py` | ' in text and '| 2 of 3 seeds | cpu | 1 |' in text


def test_one_seed_has_no_interval(tmp_path):
    write_compared(tmp_path, 'random', 0, RANDOM[0])
    write_compared(tmp_path, 'entropy', 0, ENTROPY[0])
    write_compared(tmp_path, 'margin', 1, ENTROPY[1])
    text = to_markdown(compared(tmp_path))
    assert '| entropy − random | 1 | +5.00 (–) | +3.25 (–) |' in text
    assert '| entropy − margin | 0 | – | – |' in text
    assert '| random | 0 | 30.00 | 35.00 | 40.00 | 40.00 | 35.00 |' in text
    assert 'Labels of the' not in text


def test_two_runs_of_one_seed_are_refused(grid):
    (grid / 'copy').mkdir()
    (grid / 'random_net_1xb4_toy/seed_0').rename(grid / 'copy/seed_1')
    content = json.loads((grid / 'copy/seed_1/run_info.json').read_text())
    (grid / 'copy/seed_1/run_info.json').write_text(json.dumps(dict(content, seed=1)))
    with pytest.raises(UserError, match='repeat a seed of random_net_1xb4_toy'):
        compared(grid)
