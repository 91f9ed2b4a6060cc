"""Packaging of mmseg_tsf; tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """The version, read without importing the package: its dependencies may be missing."""
    text = (ROOT / 'mmseg_tsf' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '(.+)'", text).group(1)


def pinned(name: str) -> list[str]:
    """Requirements of ``requirements/<name>.txt`` as they stand."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    stripped = (line.partition('#')[0].strip() for line in lines)
    return [line for line in stripped if line]


def unpinned(name: str) -> list[str]:
    """The distributions of ``requirements/<name>.txt`` in any version.

    The pins say what the tests ran with; a plugin must not force them on the code base that it is
    installed into.
    """
    names = (re.match(r'[\w.-]+', line).group() for line in pinned(name))
    return list(dict.fromkeys(names))


def read_readme() -> str:
    """The long description, once there is a README."""
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.exists() else ''


setup(
    name='mmseg_tsf',
    version=read_version(),
    description='Label-efficient semantic segmentation as an MMSegmentation plugin',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmseg_tsf', 'mmseg_tsf.*']),
    package_data={'mmseg_tsf.reporting': ['templates/*']},
    python_requires='>=3.10',
    # No mm* distribution here: two stacks provide the same modules, see the extras.
    install_requires=[*unpinned('runtime'), 'torch>=2.1'],
    extras_require={
        'onedl': pinned('onedl'),
        'openmmlab': pinned('openmmlab'),
        'vis': unpinned('vis'),
        'tensorboard': unpinned('tensorboard'),
        # What the tests compare the exchange formats with; label-studio-sdk needs numpy < 2.3 and
        # a cv2 of its own, so give it its own environment.
        'cvat': ['cvat-sdk[masks]'],
        'label-studio': ['label-studio-sdk'],
        'dev': unpinned('dev'),
    },
)
