"""The page of measured times holds what the benchmarks wrote, and keeps the rest."""

import json

import pytest
from tool_loader import load_tool

from mmseg_tsf.utils.errors import UserError

WHERE = dict(device='cpu', threads=2, torch='2.13', commit='abc')
STEP = dict(
    config='configs/a.py', step_time=1.25, floor_time=1.0, ratio_to_floor=1.25, network_calls=3
)
PLAR = dict(
    grid=[9, 12], classes=4, channels=8, flagged=21, plar_time=0.5, ratio_to_gemm=2.0, speedup=20.0
)
POINTS = [dict(flagged=10, seconds=0.1), dict(flagged=40, seconds=0.35)]


def test_tables(tmp_path):
    against = dict(config='configs/b.py', ratio=1.3, ratio_by_floors=1.2)
    written = dict(
        step={**STEP, **WHERE, 'against': against},
        plain={**STEP, **WHERE, 'config': 'configs/b.py'},
        plar={**PLAR, **WHERE, 'scaling': dict(flagged=POINTS)},
    )
    paths = []
    for name, result in written.items():
        paths.append(tmp_path / f'{name}.json')
        paths[-1].write_text(json.dumps(result))
    page = tmp_path / 'speed.md'
    page.write_text('Before\n<!-- speed:begin -->\nold\n<!-- speed:end -->\nAfter\n')
    tool = load_tool('benchmark/speed_table.py')
    tool.main([*map(str, paths), '-o', str(page)])
    lines = page.read_text().splitlines()
    assert lines[0] == 'Before' and lines[-1] == 'After' and 'old' not in lines
    figures = '1.250 | 1.000 | 1.250 | – | 3 | – | –'
    assert f'| `a` | {figures} | 1.200 of `b` | cpu | 2 | 2.13 | abc |' in lines
    assert f'| `b` | {figures} | – | cpu | 2 | 2.13 | abc |' in lines
    case = '9x12, 4 classes, 8 channels twice, 21 flagged'
    row = f'| {case} | 0.500 | 2.000 | 20.000 | – | – | – | cpu | 2 | 2.13 | abc |'
    assert row in lines
    assert '| 40 | 0.3500 | 4.0 | 3.5 |' in lines


def test_the_pool_has_a_place_of_its_own(tmp_path):
    page = tmp_path / 'speed.md'
    page.write_text(
        '<!-- speed:begin -->\nsteps\n<!-- speed:end -->\n<!-- pool:begin -->\n<!-- pool:end -->\n'
    )
    result = dict(size=[360, 480], classes=11, block=8, flagged=0.2, batch_size=2, labelled=0.01)
    result.update(WHERE, predict_time=0.25, plar_time=0.25, pools=[])
    result.update({f'{name}_ratio_to_predict': 1.0 for name in ('entropy', 'seed')})
    pool = dict(images=10000, asked=70, peak_memory_mib=391.26, microseconds_per_image=48.9)
    later = dict(result, labelled=0.06, entropy_ratio_to_predict=0.9, qbc_ratio_to_predict=0.1)
    elsewhere = dict(result, threads=1)
    for name, own in (('a', result), ('b', dict(later, pools=[pool])), ('c', elsewhere)):
        (tmp_path / f'{name}.json').write_text(json.dumps(own))
    names = [str(tmp_path / f'{name}.json') for name in 'abc']
    load_tool('benchmark/speed_table.py').main([*names, '-o', str(page)])
    lines = page.read_text().splitlines()
    case = 'Images of 360x480, 11 classes, blocks of 8, 20 % flagged; batches of 2, on cpu'
    at = lines.index(f'{case}, 2 threads, torch 2.13, commit abc:')
    assert lines[at + 2 : at + 8] == [
        '| strategy | 1 % labelled | 6 % labelled |',
        '| --- | --- | --- |',
        '| s / image, predict | 0.250 | 0.250 |',
        '| entropy | 1.000 | 0.900 |',
        '| seed | 1.000 | 1.000 |',
        '| qbc | – | 0.100 |',
    ]
    assert f'{case}, 1 threads, torch 2.13, commit abc:' in lines
    assert '| 10,000 | 70 | 391.3 | 49 |' in lines and 'steps' in lines


def test_another_file_is_refused(tmp_path):
    path = tmp_path / 'other.json'
    path.write_text('{}')
    with pytest.raises(UserError, match='other.json was not written by step_time.py, plar.py'):
        load_tool('benchmark/speed_table.py').main([str(path), '-o', str(tmp_path / 'page.md')])
