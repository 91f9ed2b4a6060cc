"""``tools/results_table.py`` on made-up run folders."""

import importlib.util
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from mmseg_tsf.utils.errors import UserError

ROOT = Path(__file__).parents[2]
SETTING = 'net_head_1xb2-4_toy_1-8-16x16'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('table', ROOT / 'tools/results_table.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make_run(tmp_path, monkeypatch):
    """Writes a finished and tested run of 4 iterations; returns its folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'docs').mkdir()

    def make(method, seed, mious, done=4, tested=4, weight=1.0, name='', setting=SETTING):
        folder = tmp_path / f'{method}-s{seed}{name}'
        scalars = folder / '20260101_000000/vis_data/scalars.json'
        scalars.parent.mkdir(parents=True)
        entries = [dict(loss=1.0, time=t, step=i) for i, t in enumerate((9.0, 0.2, 0.4, 0.3))]
        entries += [{'student/mIoU': 1.0, 'time': 50.0, 'step': 4}]
        scalars.write_text(''.join(json.dumps(entry) + '\n' for entry in entries))
        config = f'configs/{method}/{method}_{setting}.py'
        (folder / Path(config).name).write_text(f'model = dict(weight={weight})\n')
        parts = ['labelled'] if method == 'supervised' else ['labelled', 'unlabelled']
        info = dict(
            method=method,
            networks=list(mious),
            config=config,
            lists={part: dict(ann_file=f'{part}.txt', images=3, sha256=part) for part in parts},
            seed=seed,
            max_iters=4,
            batch_size=2,
            world_size=1,
            device='cpu',
            torch_threads=1,
            commit='abc',
            peak_memory_mib=100.4 + seed,
        )
        if done:
            info['finished_iters'] = done
        (folder / 'run_info.json').write_text(json.dumps(info))
        metrics = {f'{network}/mIoU': value for network, value in mious.items()}
        metrics |= {f'{network}/IoU.Sky': 90.0 + seed for network in mious}
        tested = dict(checkpoint=f'iter_{tested}.pth', metrics=metrics)
        (folder / 'test_metrics.json').write_text(json.dumps(tested))
        return str(folder)

    return make


@pytest.fixture
def runs(make_run):
    return [
        make_run('tsf', 0, dict(teacher=40.0, student=39.0, friend=38.0)),
        make_run('supervised', 0, dict(student=30.0)),
        make_run('supervised', 1, dict(student=33.0)),
        make_run('mt-cutmix', 0, dict(teacher=31.0, student=32.0)),
    ]


def read_rows():
    (group,) = json.loads(Path('docs/results.json').read_text())['groups']
    return {row['method']: row for row in group['rows']}


def test_means_gains_and_order(tool, runs):
    tool.main(runs)
    rows = read_rows()
    assert list(rows) == ['Supervised', 'MT + CutMix', 'TSF']
    assert rows['Supervised']['seeds'] == [0, 1]
    sd = round(statistics.stdev([30.0, 33.0]), 2)
    assert rows['Supervised']['networks'] == {'student': {'mean': 31.5, 'sd': sd}}
    assert rows['TSF']['networks']['friend'] == {'mean': 38.0, 'sd': None}
    gains = [row['gain']['mean'] for row in rows.values()]
    assert gains == [None, 1.0, 10.0]
    assert rows['TSF']['step_time'] == 0.35  # of 9, 0.2, 0.4, 0.3: the test's 50 is not among them
    assert rows['Supervised']['peak_memory_mib'] == 101
    assert rows['Supervised']['per_class'] == {'Sky': 90.5}


def test_markdown(tool, runs):
    tool.main(runs)
    lines = Path('docs/results.md').read_text().splitlines()
    rows = [line for line in lines if line.startswith('| [')]
    assert '| 0, 1 | – | 31.50 ± 2.12 | – | – | 0.350 | 101 | 1 | abc |' in rows[0]
    assert '| 0 | 40.00 | 39.00 | 38.00 | +10.00 | 0.350 | 100 | 1 | abc |' in rows[2]
    assert '- unlabelled: 3 images, `unlabelled.txt` (sha256 unlabelled)' in lines
    assert '| Sky | 90.50 | 90.00 | 90.00 |' in lines


def test_other_text_is_kept(tool, runs):
    path = Path('docs/results.md')
    path.write_text('# Ours\nbefore\n<!-- results:begin -->\nold\n<!-- results:end -->\nafter\n')
    tool.main(runs)
    once = path.read_text()
    assert once.startswith('# Ours\nbefore\n') and once.endswith('<!-- results:end -->\nafter\n')
    assert 'old' not in once
    tool.main(runs)
    assert path.read_text() == once
    path.write_text('by hand\n')
    with pytest.raises(UserError, match='docs/results.md lacks the lines <!-- results:begin'):
        tool.main(runs)
    assert path.read_text() == 'by hand\n'


def test_unfinished_and_untested_runs_are_left_out(tool, make_run, runs, capsys):
    none = dict(student=99.0)
    bad = [
        make_run('cps', 0, none, done=None),
        make_run('cps', 1, none, done=3),
        make_run('cps', 2, none, tested=2),
        'nowhere',
        make_run('tsf', 0, none, name='-again'),
    ]
    tool.main(runs + bad)
    assert list(read_rows()) == ['Supervised', 'MT + CutMix', 'TSF']
    notes = capsys.readouterr().err.splitlines()
    assert len(notes) == 5
    for note, said in zip(
        notes,
        ('0 of 4 iterations', '3 of 4', 'with iter_2.pth: test iter_4.pth', 'nowhere', 'seed 0'),
        strict=True,
    ):
        assert said in note
    with pytest.raises(UserError, match='none of the given folders holds a finished run'):
        tool.main(bad[:4])


def test_other_settings_are_never_averaged_together(tool, make_run):
    first = make_run('tsf', 0, dict(student=30.0))
    second = make_run('tsf', 1, dict(student=50.0), weight=2.0)
    tool.main([first, second])
    rows = read_rows()
    assert len(rows) == 2
    assert sorted(row['miou'] for row in rows.values()) == [30.0, 50.0]


def test_earlier_results_can_be_extended(tool, make_run, runs):
    tool.main(runs)
    more = make_run('mt-cutmix', 1, dict(teacher=35.0, student=32.0))
    tool.main(['docs/results.json', more])
    assert read_rows()['MT + CutMix']['networks']['teacher']['mean'] == 33.0
    assert len(read_rows()) == 3


def test_metafiles_say_what_the_table_says(tool, runs):
    path = Path('configs/tsf/metafile.yaml')
    path.parent.mkdir(parents=True)
    stale = [{'Metrics': {'mIoU': 77.0}}]
    models = [
        {'Name': name, 'Config': f'configs/tsf/{name}.py', 'Results': stale}
        | {'Metadata': {'Training Data': 'Toy'}}
        for name in (f'tsf_{SETTING}', 'tsf_untried')
    ]
    path.write_text(yaml.safe_dump({'Collections': [], 'Models': models}))
    tool.main([*runs, '--metafiles'])
    tried, untried = yaml.safe_load(path.read_text())['Models']
    assert tried['Results'] == [
        {'Task': 'Semantic Segmentation', 'Dataset': 'Toy', 'Metrics': {'mIoU': 40.0}}
    ]
    assert untried['Results'] == []


def hold_rounds(folder: str, *pixels: int) -> None:
    """Writes the log of a run with these spent pixels, of 1000, at each round and its end."""
    lines = [
        dict(round=i, iter=2 * i, spent=dict(pixels=spent, regions=i), unit='regions')
        for i, spent in enumerate(pixels)
    ]
    Path(folder, 'active_learning.jsonl').write_text('\n'.join(map(json.dumps, lines)) + '\n')
    Path(folder, 'rounds').mkdir()
    Path(folder, 'rounds/campaign.json').write_text(json.dumps(dict(available=dict(pixels=1000))))


def test_spent_pixels_are_shown(tool, make_run):
    """In pixels, whatever the budget is in."""
    runs = [make_run('tsf-al', seed, dict(teacher=50.0)) for seed in (0, 1)]
    for folder, spent in zip(runs, (200, 300), strict=True):
        hold_rounds(folder, 100, spent)
    tool.main([*runs, make_run('tsf', 0, dict(teacher=40.0))])
    text = Path('docs/results.md').read_text()
    assert '| method | seeds | labelled pixels, % | teacher mIoU' in text
    assert '_toy_1-8-16x16.py) | 0, 1 | 25.00 | 50.00' in text
    assert '_toy_1-8-16x16.py) | 0 | – | 40.00' in text
    assert text.count('[TSF + AL (confidence < 0.7)]') == 1


def test_what_trains_without_rounds_stands_beside_the_cheapest_rounds(tool, make_run):
    runs = [make_run('tsf', 0, dict(teacher=40.0), setting='toy_15p-16x16')]
    for asked, spent in ((25, 400), (9, 240)):
        setting = f'toy_15p-{asked}p-16x16'
        runs.append(make_run('tsf-al', 0, dict(teacher=50.0), name=asked, setting=setting))
        hold_rounds(runs[-1], 100, spent)
    tool.main(runs)
    groups = json.loads(Path('docs/results.json').read_text())['groups']
    found = {g['setting']: [row['miou'] for row in g['rows']] for g in groups}
    assert found == {'toy_15p-25p-16x16': [50.0], 'toy_15p-9p-16x16': [40.0, 50.0]}


def test_rounds_without_their_store_are_left_out(tool, make_run, capsys):
    folder = make_run('tsf-al', 0, dict(teacher=50.0))
    hold_rounds(folder, 100, 200)
    Path(folder, 'rounds/campaign.json').unlink()
    tool.main([folder, make_run('tsf', 0, dict(teacher=40.0))])
    assert 'rounds/campaign.json does not exist: copy it' in capsys.readouterr().err


def test_queries_of_one_config_are_rows_of_their_own(tool, make_run):
    runs = [make_run('tsf-al', seed, dict(teacher=50.0 + seed)) for seed in (0, 1)]
    for folder, query in zip(runs, ('MarginQuery', 'RandomQuery'), strict=True):
        (path,) = Path(folder).glob('*.py')
        path.write_text(path.read_text() + f'\ntrain_cfg = dict(query=dict(type={query!r}))\n')
    tool.main(runs)
    text = Path('docs/results.md').read_text()
    assert text.count('[TSF + AL (confidence < 0.7) [') == 2
    assert '50.50' not in text


def test_pseudo_labels_are_means_over_seeds(tool, make_run):
    for seed, right in ((0, 60.0), (1, 70.0)):
        folder = Path(make_run('tsf-plar', seed, dict(teacher=50.0)))
        log = folder / '20260101_000000/20260101_000000.log'
        texts = [f'after.accuracy.inside: {right + i:.2f}  flagged: 12.50' for i in (0, 1)]
        lines = [
            f'INFO - Quality of pseudo-labels after iteration {2 + i}: {t}'
            for i, t in enumerate(texts)
        ]
        log.write_text('\n'.join(lines[: 2 - seed]) + '\n')  # the second seed lacks the last
    tool.main(['tsf-plar-s0', 'tsf-plar-s1', make_run('tsf', 0, dict(teacher=40.0))])
    text = Path('docs/results.md').read_text()
    assert text.count('| TSF + PLAR | 2 | 12.50 | – | – | 65.00 | – |') == 1
    assert '| TSF + PLAR | 3 |' not in text


def test_gains_are_over_the_seeds_that_both_have(tool, make_run):
    runs = [make_run('supervised', seed, dict(student=40.0 - 4 * seed)) for seed in (0, 1)]
    runs += [make_run('tsf', 0, dict(teacher=43.0)), make_run('mt', 7, dict(teacher=45.0))]
    tool.main(runs)
    found = {
        r['method']: r['gain']['mean']
        for r in json.loads(Path('docs/results.json').read_text())['groups'][0]['rows']
    }
    assert found == {'Supervised': None, 'MT': None, 'TSF': 3.0}


def test_methods_with_three_seeds_are_compared_in_pairs(tool, make_run):
    teacher, student = (43.0, 45.5, 44.0), (40.0, 41.0, 42.0)
    runs = [make_run('mt', seed, dict(teacher=value)) for seed, value in enumerate(teacher)]
    runs += [make_run('supervised', s, dict(student=value)) for s, value in enumerate(student)]
    runs += [make_run('tsf', 0, dict(teacher=90.0))]  # one seed says nothing
    tool.main(runs)
    difference = np.subtract(teacher, student)
    low, high = stats.t.interval(0.95, 2, difference.mean(), stats.sem(difference))
    cell = f'{difference.mean():+.2f} ± {(high - low) / 2:.2f}'
    cell = f'**{cell}**' if low > 0 else cell
    text = Path('docs/results.md').read_text()
    assert f'| MT | {cell} | – |' in text and '|  | Supervised | MT |' in text
    assert text.count(f'| {cell} |') == 2  # the gain, too


def test_networks_of_any_method_have_columns(tool, make_run):
    runs = [
        make_run('mt', 0, dict(student=30.0)),
        make_run('twins', 0, dict(left=40.0, right=45.0)),
    ]
    path = Path(runs[1], 'run_info.json')
    path.write_text(json.dumps(dict(json.loads(path.read_text()), predict_on='right')))
    tool.main(runs)
    text = Path('docs/results.md').read_text()
    assert '| method | seeds | left mIoU | right mIoU | student mIoU | gain |' in text
    assert '| 0 | 40.00 | 45.00 | – | – |' in text and '| 0 | – | – | 30.00 | – |' in text
    assert read_rows()['twins']['miou'] == 45.0
