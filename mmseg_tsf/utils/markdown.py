"""Markdown tables, and sections of documents that tools rewrite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .errors import UserError


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table.

    Args:
        columns: Titles of the columns.
        rows: Cells of each row.
    """
    lines = [columns, ['---'] * len(columns), *rows]
    return [f'| {" | ".join(line)} |' for line in lines]


def write_between_markers(path: str | Path, name: str, text: str) -> None:
    """Replaces the text between ``<!-- name:begin -->`` and ``<!-- name:end -->`` in a file.

    Args:
        path: Path of the file; a missing file is created with a heading.
        name: Name of the markers.
        text: New text in Markdown.

    Raises:
        UserError: If the file lacks a marker.
    """
    path = Path(path)
    begin, end = f'<!-- {name}:begin -->', f'<!-- {name}:end -->'
    old = path.read_text() if path.is_file() else f'# {name.capitalize()}\n\n{begin}\n{end}\n'
    before, found, rest = old.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise UserError(
            f'{path} lacks the lines {begin} and {end}: add them where the table belongs'
        )
    path.write_text(f'{before}{begin}\n\n{text}\n{end}{after}')
