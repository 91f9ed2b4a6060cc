"""The shell launchers hand their arguments and environment on."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ECHO = '#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n'


@pytest.fixture
def launch(tmp_path):
    """Runs a launcher with a ``python`` and an ``srun`` that print their arguments."""
    for name in ('python', 'srun'):
        (tmp_path / name).write_text(ECHO)
        (tmp_path / name).chmod(0o755)

    def run(name, *args, **environment):
        path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
        environment = {**os.environ, 'PATH': path, **environment}
        return subprocess.run(
            [ROOT / 'tools' / name, *args], env=environment, capture_output=True, text=True
        )

    return run


@pytest.mark.parametrize(
    ('script', 'files'), [('train', ['cfg.py']), ('test', ['cfg.py', 'last.pth'])]
)
def test_dist(launch, script, files):
    run = launch(f'dist_{script}.sh', *files, '8', '--cfg-options', 'a=b c', NNODES='2', PORT='7')
    lines = run.stdout.splitlines()
    assert lines[1:3] == ['-m', 'torch.distributed.run']
    assert lines[3:8] == [
        '--nnodes=2',
        '--node_rank=0',
        '--master_addr=127.0.0.1',
        '--master_port=7',
        '--nproc_per_node=8',
    ]
    assert lines[8].endswith(f'tools/{script}.py')
    assert lines[9:] == [*files, '--launcher', 'pytorch', '--cfg-options', 'a=b c']


@pytest.mark.parametrize(
    ('script', 'files'), [('train', ['cfg.py']), ('test', ['cfg.py', 'last.pth'])]
)
def test_slurm(launch, script, files):
    options = dict(GPUS='16', GPUS_PER_NODE='8', SRUN_ARGS='--qos=low -x bad')
    run = launch(f'slurm_{script}.sh', 'gpu', 'job', *files, '--resume', **options)
    lines = run.stdout.splitlines()
    assert lines[1:4] == ['-p', 'gpu', '--job-name=job']
    assert {'--gres=gpu:8', '--ntasks=16', '--ntasks-per-node=8', '--qos=low', 'bad'} < set(lines)
    start = lines.index('python')
    assert lines[start + 2].endswith(f'tools/{script}.py')
    assert lines[start + 3 :] == [*files, '--launcher', 'slurm', '--resume']


@pytest.mark.parametrize(
    'name', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh']
)
def test_too_few_arguments_print_the_usage(launch, name):
    run = launch(name)
    assert run.returncode == 2
    assert run.stderr.startswith('Usage:') and name in run.stderr
