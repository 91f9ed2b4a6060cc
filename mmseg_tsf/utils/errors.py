"""The one exception that means: the user can mend it."""

from __future__ import annotations


class UserError(ValueError):
    """A mistake in a config, a file or a command line; its message names the remedy.

    Tools print it as one line and end with status 2 (:func:`~mmseg_tsf.utils.cli.run_tool`);
    every other exception keeps its traceback.
    """
