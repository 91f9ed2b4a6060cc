"""Packaging of mmseg_tsf; the settings of the tools are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """Version, read without importing the package, whose dependencies may be missing."""
    text = (ROOT / 'mmseg_tsf' / '__init__.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '(.+)'", text).group(1)


def pinned(name: str) -> list[str]:
    """Requirements of ``requirements/<name>.txt``, with their pins."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    stripped = (line.partition('#')[0].strip() for line in lines)
    return [line for line in stripped if line]


def unpinned(name: str) -> list[str]:
    """Distributions of ``requirements/<name>.txt`` in any version.

    The pins are the versions of the tests; a plugin must not force them on the code base that it
    is installed into.
    """
    names = (re.match(r'[\w.-]+', line).group() for line in pinned(name))
    return list(dict.fromkeys(names))


def read_readme() -> str:
    """Long description of the package."""
    return (ROOT / 'README.md').read_text(encoding='utf-8')


setup(
    name='mmseg_tsf',
    version=read_version(),
    description='Label-efficient semantic segmentation as an MMSegmentation plugin',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmseg_tsf', 'mmseg_tsf.*']),
    package_data={
        'mmseg_tsf.reporting': ['templates/*'],
        'mmseg_tsf.active_learning.exchange.page': ['web/*'],
    },
    python_requires='>=3.10',
    # no mm* distribution: two stacks provide the same modules, see the extras
    install_requires=[*unpinned('runtime'), 'torch>=2.1'],
    extras_require={
        'onedl': pinned('onedl'),
        'openmmlab': pinned('openmmlab'),
        'vis': unpinned('vis'),
        'tensorboard': unpinned('tensorboard'),
        'timm': ['timm'],
        # references of the tests of exchange formats; label-studio-sdk needs numpy < 2.3 and
        # another cv2, and therefore an environment of its own
        'cvat': ['cvat-sdk[masks]'],
        'label-studio': ['label-studio-sdk'],
        'dev': unpinned('dev'),
    },
)
