"""Types of command-line arguments that refuse a mistake before anything is built."""

from __future__ import annotations

import argparse
import os.path as osp
from pathlib import Path


def existing_file(path: str) -> str:
    """The path of a file or its URL; else the tool ends in one sentence and exit status 2.

    Raises:
        argparse.ArgumentTypeError: There is no such file.
    """
    if '://' not in path and not osp.isfile(path):
        raise argparse.ArgumentTypeError(f'{path} does not exist or is no file')
    return path


def existing_folder(path: str) -> Path:
    """The path of a folder; see :func:`existing_file`.

    Raises:
        argparse.ArgumentTypeError: There is no such folder.
    """
    if not osp.isdir(path):
        raise argparse.ArgumentTypeError(f'{path} does not exist or is no folder')
    return Path(path)
