"""The pages of the documentation, their code blocks and commands."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / 'README.md', *(ROOT / 'docs').glob('*.md'), *ROOT.glob('configs/**/*.md')])


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path | str, language: str) -> list[str]:
    text = page if isinstance(page, str) else page.read_text()
    return re.findall(rf'^```{language}\n(.*?)^```', text, re.M | re.S)


def commands(page: Path) -> list[list[str]]:
    """Commands of the bash blocks, continued lines joined, without variables and comments."""
    text = '\n'.join(blocks(page, 'bash')).replace('\\\n', ' ')
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    bare = ([w for w in line if not re.fullmatch(r'[A-Z_]+=\S*', w)] for line in lines)
    return [line for line in bare if line]
