"""Files, processes, random seeds, option checks and command lines, for all other folders."""

from .cli import ToolParser, existing_file, existing_folder, run_tool
from .errors import StoreError, UserError

__all__ = ['StoreError', 'ToolParser', 'UserError', 'existing_file', 'existing_folder', 'run_tool']
