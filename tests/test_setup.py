"""The package's metadata and what its import says where the mm-stack is missing."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def metadata(monkeypatch):
    """Keyword arguments with which setup.py calls setuptools."""
    captured = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **kwargs: captured.update(kwargs))
    runpy.run_path(str(ROOT / 'setup.py'))
    return captured


def requirements(lines):
    return {parsed.name: parsed for parsed in map(Requirement, lines)}


def test_install_requires_leaves_the_mm_stack_to_the_user(metadata):
    parsed = requirements(metadata['install_requires'])
    assert set(parsed) == {
        *('numpy', 'scipy', 'scikit-image', 'pillow', 'packaging', 'colorspacious', 'torch')
    }
    assert '2.1' in parsed['torch'].specifier
    assert '2.0.1' not in parsed['torch'].specifier


@pytest.mark.parametrize(
    ('extra', 'pins'),
    [
        (
            'onedl',
            {
                'onedl-mmengine': '0.10.12',
                'onedl-mmcv': '2.3.6',
                'onedl-mmsegmentation': '1.4.2',
            },
        ),
        ('openmmlab', {'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmsegmentation': '1.2.2'}),
    ],
)
def test_stack_extras_are_pinned(metadata, extra, pins):
    parsed = requirements(metadata['extras_require'][extra])
    assert {name: str(parsed[name].specifier) for name in pins} == {
        name: f'=={version}' for name, version in pins.items()
    }


@pytest.mark.parametrize(
    ('extra', 'expected'),
    [
        ('vis', {'matplotlib', 'rich', 'scikit-image', 'scikit-learn', 'jinja2'}),
        ('tensorboard', {'tensorboard'}),
        ('cvat', {'cvat-sdk'}),
        ('label-studio', {'label-studio-sdk'}),
        (
            'dev',
            {
                'pytest',
                'pytest-xdist',
                'ruff',
                'hypothesis',
                'pycocotools',
                'selenium',
                'setuptools',
            },
        ),
    ],
)
def test_other_extras_force_no_version(metadata, extra, expected):
    parsed = requirements(metadata['extras_require'][extra])
    assert set(parsed) == expected
    assert all(not requirement.specifier for requirement in parsed.values())


def test_original_stack_gets_a_setuptools_that_has_pkg_resources(metadata):
    parsed = requirements(metadata['extras_require']['openmmlab'])
    assert '80.10.2' in parsed['setuptools'].specifier
    assert '81.0' not in parsed['setuptools'].specifier


def test_every_requirement_file_names_each_distribution_once_per_python():
    for path in sorted((ROOT / 'requirements').glob('*.txt')):
        lines = [line.partition('#')[0].strip() for line in path.read_text().splitlines()]
        parsed = [Requirement(line) for line in lines if line]
        for python in ('3.10', '3.11', '3.13'):
            chosen = [
                requirement.name
                for requirement in parsed
                if requirement.marker is None
                or requirement.marker.evaluate({'python_version': python})
            ]
            assert len(chosen) == len(set(chosen)), (path.name, python)
            assert chosen, path.name


def test_tests_are_not_packaged_and_the_version_is_the_package_s(metadata):
    assert 'mmseg_tsf' in metadata['packages']
    assert all(name.split('.')[0] == 'mmseg_tsf' for name in metadata['packages'])
    assert Version(metadata['version']) >= Version('0.1.0')


WITHOUT_STACK = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == {blocked!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

sys.meta_path.insert(0, Blocker())
try:
    import mmseg_tsf
except ImportError as error:
    print(error)
else:
    sys.exit('the import went through')
"""


@pytest.mark.parametrize('blocked', ['mmengine', 'mmcv', 'mmseg'])
def test_import_without_the_stack_says_what_to_install(blocked):
    result = subprocess.run(
        [sys.executable, '-c', WITHOUT_STACK.format(blocked=blocked)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    message = next(line for line in result.stdout.splitlines() if 'mmseg_tsf' in line)
    assert 'pip install mmseg_tsf[onedl]' in message
    assert blocked in message
    assert 'Traceback' not in result.stdout
