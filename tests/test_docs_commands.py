"""Every command of the pages that have no test of their own, in order, on a tiny data set."""

import copy
import re
import runpy
import sys
import uuid
from unittest import mock

import pytest
from docs_pages import PAGES, ROOT, blocks, commands, name_of
from grid_jobs import forked
from helpers import REFINED, tiny_segmentor
from tiny_runs import active_learning_cfg, tiny_runner_cfg, validation_cfg

from mmseg_tsf.engine.grid import jobs

ELSEWHERE = {
    'docs/your_own_data.md': 'test_your_own_data.py',
    'docs/people_in_the_loop.md': 'test_tools/test_exchange_tools.py',
    'docs/scaling_out.md': 'test_tools/test_launchers.py',
}
HERE = ['README.md', 'docs/quick_start.md', 'docs/active_learning.md']
ITERS = 3
# what a page leaves open, or what is too large for a test
STAND_INS = [
    (r'configs/active_learning/<config>\.py', 'rounds.py'),
    (r'configs/tsf/\S+camvid-small\S+\.py|<config>', 'tiny.py'),
    (r'work_dirs/(<run>|tsf)/iter_2000\.pth|<checkpoint>', f'work_dirs/ran/iter_{ITERS}.pth'),
    (r'data/camvid/img_dir/test/\w+\.png', 'image.png'),
]


def test_every_page_with_commands_is_followed():
    pages = {name_of(page) for page in PAGES if commands(page)}
    assert pages == {*HERE, *ELSEWHERE}
    for name in ELSEWHERE.values():
        assert (ROOT / 'tests' / name).is_file()


def test_what_is_run_nowhere_is_marked():
    for page in PAGES:
        for line in '\n'.join(blocks(page, 'bash')).splitlines():
            if re.search(r'tools/(dist|slurm)\w*\.sh', line):
                assert 'GPU' in line, f'{name_of(page)}: {line}'


@pytest.fixture
def checkout(tmp_path, data_root, monkeypatch):
    """A folder with a plain config, one with rounds, and finished runs of both."""
    segmentor = tiny_segmentor()
    segmentor['backbone'] = dict(type='MobileNetV2', widen_factor=0.1, out_indices=(1, 6))
    segmentor['decode_head'].update(in_channels=32, in_index=1)
    refined = dict(REFINED, refinement=dict(taps=('decode_head.convs', 'backbone.layer2')))
    model = dict(type='TeacherStudentFriend', segmentor=segmentor, **refined)
    validation = validation_cfg(data_root)
    rest = dict(
        test_dataloader=copy.deepcopy(validation['val_dataloader']),
        test_evaluator=dict(type='ClassIoUMetric'),
        test_cfg=dict(type='SemiTestLoop'),
        custom_imports=dict(imports=['mmseg_tsf']),
    )
    plain = tiny_runner_cfg('tsf', data_root, tmp_path, max_iters=ITERS, model=model)
    rounds = active_learning_cfg('tsf', data_root, tmp_path, max_iters=ITERS, model=model)
    plain.update(validation)
    for cfg, name in ((plain, 'tiny.py'), (rounds, 'rounds.py')):
        cfg.update(copy.deepcopy(rest))
        cfg.pop('work_dir')
        cfg.dump(tmp_path / name)
    (tmp_path / 'image.png').write_bytes((data_root / 'img/frame_0.png').read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('COLUMNS', '200')
    monkeypatch.setattr(jobs, 'start_process', forked())
    return tmp_path


def run(words: list[str], *options: str) -> None:
    """A script, in this process, under a name that no other run has."""
    tool, arguments = ROOT / words[1], words[2:]
    if tool.name in ('train.py', 'test.py'):
        name = f'experiment_name={uuid.uuid4().hex}'
        arguments = [*arguments, '--cfg-options', name, *options]
    with mock.patch.object(sys, 'argv', [str(tool), *arguments]):
        runpy.run_path(str(tool), run_name='__main__')


def stand_in(word: str) -> str:
    for pattern, value in STAND_INS:
        word = re.sub(pattern, value, word)
    assert '<' not in word, f'{word}: what stands for it in this test?'
    return word


@pytest.mark.parametrize('page', HERE)
def test_the_commands_of_a_page(page, checkout):
    followed = [words for words in commands(ROOT / page) if words[0] == 'python']
    text = ' '.join(word for words in followed for word in words)
    if '.pth' in text or '<checkpoint>' in text:
        run(['python', 'tools/train.py', 'tiny.py', '--work-dir', 'work_dirs/ran'])
    made = sorted(set(re.findall(r'work_dirs/al\w*', text)))
    for seed, folder in enumerate(made):
        if f'--work-dir {folder}' not in text:
            train = ['python', 'tools/train.py', 'rounds.py', '--work-dir', folder]
            run(train, f'randomness.seed={seed}')
    for words in followed:
        arguments = [stand_in(word) for word in words]
        run(arguments)
        for flag in ('-o', '--work-dir'):
            if flag in arguments:
                written = checkout / arguments[arguments.index(flag) + 1]
                assert written.exists(), f'{" ".join(words)} did not write {written.name}'
