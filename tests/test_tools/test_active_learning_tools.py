"""The tools on round stores and made-up logs: what they say, and how they end."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stores import IDS, asked, make_store, said, write_answer, write_request

from mmseg_tsf.active_learning import RoundStore, StoreError
from mmseg_tsf.active_learning.store.round_log import RoundLog
from mmseg_tsf.utils.errors import UserError

ROOT = Path(__file__).parents[2]


def load_tool(name: str):
    path = ROOT / f'tools/active_learning/{name}.py'
    spec = importlib.util.spec_from_file_location(f'al_{name}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path):
    """A run with two rounds answered; its images have 480 pixels, 96 of them labelled first."""
    make_store(tmp_path / 'rounds', answered=2, labels=True)
    return tmp_path


def snapshot(folder) -> dict:
    return {p: p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def test_status_adds_up(run, capsys):
    RoundLog(run / 'active_learning.jsonl').write(
        dict(round=1, iter=4, state='answered', notes=dict(corrected=12), seconds={})
    )
    write_request(RoundStore(run / 'rounds'), 2)
    before = snapshot(run)
    load_tool('status').main([str(run), '--json'])
    status = json.loads(capsys.readouterr().out)
    assert status['rounds_answered'] == 2 and status['rounds_planned'] == 3
    assert status['spent'] == dict(pixels=160, images=4, regions=6, clicks=20)
    assert (status['total'], status['left'], status['unit']) == (240, 80, 'pixels')
    # a pixel of each mask is void
    assert status['classes'] == dict(road=2 * 15, sky=2 * 15, car=0)
    assert [r['state'] for r in status['rounds']] == ['answered', 'answered', 'asked']
    assert status['rounds'][1]['pixels'] == 32 and status['rounds'][1]['clicks'] == 10
    assert status['rounds'][2]['pixels'] == 0 and status['rounds'][2]['pixels_asked'] == 32
    assert status['notes'] == {'1': dict(corrected=12)}
    assert status['waits_for'] == 'the answer of round 2 by GroundTruthOracle'
    assert snapshot(run) == before


def test_status_as_text(run, capsys, monkeypatch):
    monkeypatch.setenv('COLUMNS', '140')
    load_tool('status').main([str(run)])
    text = ' '.join(capsys.readouterr().out.split())
    assert '2 of 3 rounds answered; 160 (33.33 %) of 240 (50.00 %) pixels spent, 80' in text
    assert 'waits for training up to round 2' in text
    for cells in ('initial', 'round 0 │ EntropyQuery │ ground truth │ 2 │ 32'):
        assert cells in text
    # of 64 pixels: one in each of four masks is void
    assert 'sky │ 30 │ 46.88 %' in text and '(no label) │ 4 │ 6.25 %' in text
    write_request(RoundStore(run / 'rounds'), 2)
    load_tool('status').main([str(run)])
    assert 'round 2 asks 32 pixels in 2 images; nothing' in capsys.readouterr().out


def test_what_is_waited_for(run):
    status = load_tool('status')
    store = RoundStore(run / 'rounds')
    log = RoundLog(run / 'active_learning.jsonl')

    def waits_for():
        return status.main([str(run), '--json'])['waits_for']

    assert waits_for() == 'training up to round 2: resume it, if it is not running'
    write_request(store, 2)
    readme = run / 'annotation/round_002/README.txt'
    readme.parent.mkdir(parents=True)
    readme.write_text('')
    assert waits_for().endswith(f'GroundTruthOracle: follow {readme}, then resume')
    write_answer(store, 2)
    assert waits_for() == 'the end of training: every round is answered'
    log.write(dict(round=3, iter=9, state='finished', seconds={}))
    assert waits_for() == 'nothing, training is finished'


def test_verify_says_so_or_ends_with_1(run, capsys):
    load_tool('verify').main([str(run)])
    assert capsys.readouterr().out == f'{run}/rounds: 2 rounds, all files intact\n'
    path = run / 'rounds/round_000/request/masks/y.png'
    path.write_bytes(path.read_bytes()[:-1])
    (run / 'rounds/round_001/more').write_bytes(b'')
    with pytest.raises(SystemExit) as stopped:
        load_tool('verify').main([str(run)])
    assert stopped.value.code == 1
    assert capsys.readouterr().out == (
        f'{path} was altered\n{run}/rounds/round_001/more is foreign\n'
    )


def test_replay_rebuilds_any_round(run, tmp_path, capsys):
    before, out = snapshot(run / 'rounds'), tmp_path / 'out'
    replay = load_tool('replay').main
    for number in (0, 1):
        replay([str(run), '--round', str(number), '-o', str(out / str(number))])
        for image_id in IDS:
            path = out / f'{number}/{image_id}.png'
            stored = run / f'rounds/labels/{image_id}.png'  # of the last round
            assert (path.read_bytes() == stored.read_bytes()) == (number == 1)
            labels = np.asarray(Image.open(path))
            assert np.array_equal(labels[asked(0)], said(0)[asked(0)])
            assert set(labels[asked(1)].tolist()) == ({1, 255} if number else {255})
    assert snapshot(run / 'rounds') == before
    assert 'the labels of 2 images after round 1' in capsys.readouterr().out
    with pytest.raises(UserError, match='no answer of round 2: the last one is round 1'):
        replay([str(run), '--round', '2', '-o', str(out / '2')])
    (out / 'file').touch()
    with pytest.raises(UserError, match='is a file: give a folder'):
        replay([str(run), '--round', '1', '-o', str(out / 'file')])
    with pytest.raises(StoreError, match='holds no active-learning campaign'):
        replay([str(run / 'mistyped'), '--round', '1', '-o', str(out / '3')])
    with pytest.raises(UserError, match='is not empty'):
        replay([str(run), '--round', '1', '-o', str(out / '0')])


@pytest.mark.parametrize('name', ['status', 'curves'])
def test_a_folder_of_something_else_is_refused(name, tmp_path):
    with pytest.raises(UserError, match='campaign|is not the folder of a run'):
        load_tool(name).main([str(tmp_path)])


@pytest.fixture
def make_run(tmp_path):
    """Writes a run of active learning; returns its folder."""

    def make(query, seed, shares, scores, config='configs/tsf/al.py', **more):
        folder = tmp_path / f'{query}-{seed}'
        folder.mkdir()
        info = dict(config=config, networks=['teacher', 'student'], seed=seed, commit='abc')
        (folder / 'run_info.json').write_text(json.dumps(dict(info, max_iters=40)))
        (folder / 'al.py').write_text(
            f'train_cfg = dict(query={query!r})\nrandomness = dict(seed={seed})\n'
        )
        log = RoundLog(folder / 'active_learning.jsonl')
        for i, (share, score) in enumerate(zip(shares, scores, strict=True)):
            spent = dict(pixels=round(1000 * share), images=5, regions=2 * i + 3, clicks=7 * i)
            line = dict(round=i, iter=10 * i, spent=spent, unit='pixels', share=share)
            line['metrics'] = {'teacher/mIoU': score, 'student/mIoU': 1.0, 'student/IoU.Sky': 2.0}
            line['seconds'] = {}
            log.write({**line, **more})
        return str(folder)

    return make


def write_full(folder, score, end=40):
    path = folder / '2026/vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    info = dict(config='configs/full.py', networks=['student'], seed=0, commit='a', max_iters=40)
    (folder / 'run_info.json').write_text(json.dumps(info))
    entries = [{'student/mIoU': 99.0, 'step': 20}, {'loss': 1.0, 'step': end}]
    entries += [{'student/mIoU': score, 'step': end}]
    path.write_text('\n'.join(map(json.dumps, entries)))
    return str(folder)


def test_curves_of_two_settings_over_seeds(make_run, tmp_path, capsys):
    shares = [0.1, 0.15, 0.2]
    runs = [
        make_run('entropy', 0, shares, [30.0, 40.0, 50.0]),
        make_run('entropy', 1, shares, [34.0, 44.0, 48.0]),
        make_run('random', 0, shares, [30.0, 35.0, 40.0]),
    ]
    full = [write_full(tmp_path / 'full0', 49.0), write_full(tmp_path / 'full1', 51.0)]
    out = tmp_path / 'out'
    options = ['-o', str(out), '--full', full[0], '--full', full[1], '--share', '0.9']
    load_tool('curves').main([*runs, *options])
    result = json.loads((out / 'curves.json').read_text())
    assert (result['full'], result['share']) == (50.0, 0.9)
    entropy, random = result['groups']
    assert [run['seed'] for run in entropy['runs']] == [0, 1]
    assert entropy['name'] != random['name'] and entropy['name'].startswith('al [')
    assert [point['mean'] for point in entropy['curve']] == [32, 42, 49]
    assert [point['spend'] for point in entropy['curve']] == pytest.approx([10, 15, 20])
    assert entropy['aubc']['mean'] == pytest.approx((40 + 42.5) / 2)
    assert entropy['share_of_full']['mean'] == pytest.approx(0.98)
    assert entropy['spend_to_reach']['mean'] == pytest.approx((17.5 + 16.25) / 2)
    assert random['spend_to_reach'] is None and random['reached'] == 0
    picture = np.asarray(Image.open(out / 'curves.png').convert('RGB')).reshape(-1, 3)
    colours = {tuple(colour) for colour in np.unique(picture, axis=0).tolist()}
    assert {(0, 0x72, 0xB2), (0xD5, 0x5E, 0)} <= colours
    text = (out / 'curves.md').read_text()
    assert text == capsys.readouterr().out[:-1]
    row = next(line for line in text.splitlines() if line.startswith(f'| {entropy["name"]} '))
    cells = [cell.strip() for cell in row.split('|')[2:-1]]
    assert cells[:3] == ['0, 1', '10 – 20', '49.00 ± 1.41']
    assert cells[3:] == ['41.25 ± 1.77', '98.00 ± 2.83', '16.88 ± 0.88']
    assert '| reached by 0 of 1 |' in text


def test_curves_without_shares_and_of_what_was_measured_twice(make_run, tmp_path):
    folder = Path(make_run('entropy', 0, [0.1, 0.2], [30.0, 40.0], unit='clicks'))
    log = RoundLog(folder / 'active_learning.jsonl')
    for line in log.read():
        line.pop('share')
        log.write(line)
    finished = dict(log.read()[-1], iter=40, metrics={'teacher/mIoU': 43.0})
    log.write(finished)  # nothing was left to buy, and training went on
    (group,) = load_tool('curves').main([str(folder), '-o', str(tmp_path)])
    assert group['name'] == 'al'
    assert group['runs'][0]['points'] == [(0, 30.0), (7, 43.0)]
    assert '| spent (clicks) |' in (tmp_path / 'curves.md').read_text()
    other = make_run('random', 0, [0.1], [30.0])
    with pytest.raises(UserError, match='spend in % of all pixels and in clicks'):
        load_tool('curves').main([str(folder), other, '-o', str(tmp_path)])


def test_curves_say_which_seed_is_behind(make_run, tmp_path):
    done = make_run('entropy', 0, [0.1, 0.2, 0.3], [30.0, 40.0, 50.0])
    begun = make_run('entropy', 1, [0.1, 0.2], [32.0, 44.0])
    (group,) = load_tool('curves').main([done, begun, '-o', str(tmp_path)])
    assert group['final']['mean'] == 42
    text = (tmp_path / 'curves.md').read_text()
    assert 'al: seed 1 has reached round 1 of 2; its figures cover the rounds that all' in text


def test_names_of_curves_leave_out_what_they_share():
    short_names = load_tool('curves').short_names
    names = ['tsf-al_net_1xb4_toy_15p-9p', 'tsf-al_net_1xb4_toy_15p-25p', 'mt_net_1xb4_toy_15p-9p']
    short, common = short_names(names)
    assert short == ['tsf-al 15p-9p', 'tsf-al 15p-25p', 'mt 15p-9p']
    assert common == 'net, 1xb4, toy'
    assert short_names(names[:1]) == (names[:1], '')


def test_curves_mark_what_a_seed_had_before_it_asked(make_run, tmp_path):
    run = make_run('entropy', 0, [0.1, 0.2], [30.0, 40.0])
    load_tool('curves').main([run, '-o', str(tmp_path), '--full', '30'])
    text = (tmp_path / 'curves.md').read_text()
    assert '| ≤ 10.00 |' in text and '≤: a seed had reached the score' in text


def test_curves_of_what_can_not_be_compared(make_run, tmp_path):
    runs = [make_run('entropy', seed, [0.1, 0.2], [30.0, 40.0]) for seed in (0, 1)]
    for run, name in zip(runs, ('val', 'test'), strict=True):
        with open(Path(run, 'al.py'), 'a') as file:
            file.write(f"val_dataloader = dict(dataset=dict(ann_file='/data/{name}.txt'))\n")
    with pytest.raises(UserError, match='were validated on different data: draw them separately'):
        load_tool('curves').main([*runs, '-o', str(tmp_path)])
    with pytest.raises(UserError, match='nowhere is neither a number nor the folder'):
        load_tool('curves').main([runs[0], '-o', str(tmp_path), '--full', 'nowhere'])
    broken = make_run('random', 0, [0.1, 0.2], [30.0, float('nan')])
    with pytest.raises(UserError, match=r'random-0 has nan as teacher/mIoU of round 1'):
        load_tool('curves').main([broken, '-o', str(tmp_path)])


def test_curves_go_on_from_earlier_ones(make_run, tmp_path):
    curves = load_tool('curves').main
    first = make_run('entropy', 0, [0.1, 0.2], [30.0, 40.0])
    second = make_run('entropy', 1, [0.1, 0.2], [32.0, 44.0])
    other = make_run('random', 0, [0.1, 0.2], [30.0, 35.0])
    at_once = curves([first, second, other, '-o', str(tmp_path / 'at_once'), '--full', '50'])
    out = str(tmp_path / 'out')
    curves([first, '-o', out])
    earlier = f'{out}/curves.json'
    in_turn = curves([earlier, second, other, '-o', out, '--full', '50'])
    assert json.dumps(in_turn) == json.dumps(at_once)
    with pytest.raises(UserError, match='repeat a seed'):
        curves([earlier, first, '-o', out])
    foreign = tmp_path / 'foreign.json'
    foreign.write_text('[1]')
    with pytest.raises(UserError, match='foreign.json holds no JSON object: give a curves.json'):
        curves([str(foreign), '-o', out])


def test_runs_that_say_too_little_are_refused(make_run, tmp_path):
    curves = load_tool('curves').main
    folder = make_run('entropy', 0, [0.1, 0.2], [30.0, 40.0])
    with pytest.raises(UserError, match='repeat a seed'):
        curves([folder, folder])
    unfinished = write_full(tmp_path / 'full', 50.0, end=30)
    with pytest.raises(UserError, match='no student/mIoU at iteration 40: let it finish'):
        curves([folder, '--full', unfinished])
    silent = make_run('random', 0, [0.1], [30.0], metrics={})
    with pytest.raises(UserError, match='has no teacher/mIoU'):
        curves([silent])
    with pytest.raises(UserError, match='active_learning.jsonl is missing'):
        curves([unfinished])
