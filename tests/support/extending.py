"""The code of docs/extending.md."""

from __future__ import annotations

import functools

from docs_pages import ROOT, blocks

PAGE = ROOT / 'docs' / 'extending.md'


@functools.cache  # what a section registers can be registered once
def run_section(title: str) -> dict:
    """Runs the Python blocks of a section of the page; returns the names that they define."""
    text = PAGE.read_text()
    (section,) = (part for part in text.split('\n## ')[1:] if part.startswith(title + '\n'))
    names: dict = {'__name__': 'extending'}
    for code in blocks(section, 'python'):
        exec(compile(code, str(PAGE), 'exec'), names)
    return names
