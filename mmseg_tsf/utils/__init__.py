"""Helpers of the command-line tools."""

from .arguments import existing_file, existing_folder
from .cli import run_tool
from .memory import keep_freed_memory
from .progress import in_words, track

__all__ = ['existing_file', 'existing_folder', 'in_words', 'keep_freed_memory', 'run_tool', 'track']
