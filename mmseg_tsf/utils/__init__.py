"""Helpers of the command-line tools."""

from .cli import run_tool

__all__ = ['run_tool']
