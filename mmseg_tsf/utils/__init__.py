"""Helpers of the command-line tools."""

from .arguments import existing_file, existing_folder
from .cli import run_tool
from .progress import in_words, track

__all__ = ['existing_file', 'existing_folder', 'in_words', 'run_tool', 'track']
