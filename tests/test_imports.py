"""Imports between the folders of the package point one way, and files have a readable length."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1] / 'mmseg_tsf'
AL = 'active_learning'
BASE = ('models/utils', 'utils')
LOWER = ('models', 'datasets', 'evaluation', 'utils', 'compat')


def of_al(*names: str) -> tuple[str, ...]:
    return tuple(f'{AL}/{name}' for name in ('registry', *names))


ALLOWED = {
    'utils': (),
    'models/utils': ('utils',),
    'models/refinement': BASE,
    'models/mixing': BASE,
    'models/decode_heads': BASE,
    'models': ('models', 'utils'),
    'compat': BASE,
    'demo': ('utils',),
    'datasets': BASE,
    'evaluation': ('models', 'datasets', 'utils'),
    f'{AL}/registry': (),
    f'{AL}/store': BASE,
    f'{AL}/pool': of_al() + LOWER,
    f'{AL}/selection': of_al('pool') + BASE,
    f'{AL}/strategies': of_al('pool', 'selection') + BASE,
    f'{AL}/exchange': of_al('store', 'selection') + BASE,
    f'{AL}/oracles': of_al('store', 'pool', 'exchange') + ('datasets', *BASE),
    f'{AL}/campaign': of_al('store', 'pool', 'selection', 'strategies', 'oracles') + LOWER,
    AL: (AL, *LOWER),
    'reporting': (AL, *LOWER),
    'engine': ('reporting', AL, *LOWER),
    '__init__': ('engine', 'reporting', AL, 'demo', *LOWER),
}
"""Folders and modules that each folder may import, besides itself; the longest path counts."""


def is_in(module: str, folder: str) -> bool:
    return f'{module}/'.startswith(f'{folder}/')


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Our modules that a file imports: path below the package, line, and whether it is nested."""
    tree = ast.parse(path.read_text())
    top = {id(node) for node in tree.body}
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names = (node.module or '').split('.') if node.module else []
            if not node.level and names[0] != ROOT.name:
                continue
            parts = [*base, *(names if node.level else names[1:])]
            for alias in node.names:
                own = ROOT.joinpath(*parts, alias.name)
                is_module = own.is_dir() or own.with_suffix('.py').is_file()
                found = [*parts, alias.name] if is_module else parts
                yield '/'.join(found), node.lineno, id(node) not in top
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split('.')[0] == ROOT.name:
                    yield '/'.join(alias.name.split('.')[1:]), node.lineno, id(node) not in top


def problems(path: Path) -> Iterator[str]:
    name = path.relative_to(ROOT).with_suffix('').as_posix()
    lines = len(path.read_text().splitlines())
    if path.name != '__init__.py' and not 30 <= lines <= 300:
        yield f'{name}.py has {lines} lines, not 30 to 300'
    folder = max((own for own in ALLOWED if is_in(name, own)), key=len)
    for module, line, nested in imports(path):
        if nested:
            yield f'{name}.py:{line} imports {module} inside a function or block'
        if not any(is_in(module, own) for own in (folder, *ALLOWED[folder])):
            yield f'{name}.py:{line} imports {module}: {folder} may not'


def test_imports_point_one_way_and_files_have_a_readable_length():
    found = [problem for path in sorted(ROOT.rglob('*.py')) for problem in problems(path)]
    assert not found, '\n' + '\n'.join(found)
