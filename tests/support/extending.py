"""The code of docs/extending.md."""

from __future__ import annotations

import functools

from docs_pages import ROOT, blocks

PAGE = ROOT / 'docs' / 'extending.md'


def section_blocks(title: str) -> list[str]:
    """Python blocks of a section of the page."""
    text = PAGE.read_text()
    (section,) = (part for part in text.split('\n## ')[1:] if part.startswith(title + '\n'))
    return blocks(section, 'python')


@functools.cache  # what a section registers can be registered once
def run_section(title: str) -> dict:
    """Runs the Python blocks of a section of the page; returns the names that they define."""
    names: dict = {'__name__': 'extending'}
    for code in section_blocks(title):
        exec(compile(code, str(PAGE), 'exec'), names)
    return names
