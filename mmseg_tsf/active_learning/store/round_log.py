"""Log of the rounds of a run, one JSON object per line."""

from __future__ import annotations

import json
from numbers import Real
from pathlib import Path

from ...utils.files import StoreError, set_aside, write_file
from ...utils.shapes import NUMBER, Record, misfit

FINISHED, EXTENDED = 'finished', 'extended'
"""States of the last line of a finished run, and of that line once the run was extended."""

LINE = dict(
    round=int,
    iter=int,
    state=str,
    unit=str,
    share=NUMBER,
    spent={...: NUMBER},
    seconds={...: NUMBER},
    notes={...: object},
    metrics={...: object},
)
"""Shape of a line."""


class RoundLog:
    """``active_learning.jsonl``, whose line is replaced when a round is repeated after a crash.

    Args:
        path: Path of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict]:
        """All lines in the order of the training.

        Raises:
            StoreError: A line is damaged.
        """
        lines, damaged = self._parse()
        if damaged:
            which = ('line ' if len(damaged) == 1 else 'lines ') + ', '.join(map(str, damaged))
            raise StoreError(
                f'{which} of {self.path} cannot be read: delete what is damaged, or resume '
                'the run, which goes on without it (the rounds do not depend on it)'
            )
        return lines

    def mend(self) -> None:
        """Moves a damaged log aside and keeps those of its lines that are whole."""
        lines, damaged = self._parse()
        if damaged:
            set_aside(self.path, f'line {damaged[0]} of {self.path} is damaged')
            self._replace(lines)

    def _parse(self) -> tuple[list[dict], list[int]]:
        """Whole lines, and the numbers of the damaged ones."""
        lines, damaged = [], []
        if not self.path.exists():
            return lines, damaged
        for number, text in enumerate(self.path.read_text(errors='replace').splitlines(), start=1):
            if not text.strip():
                continue
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                line = None
            if _is_line(line):
                lines.append(Record(line, self.path, 'delete its last line'))
            else:
                damaged.append(number)
        return lines, damaged

    def reopen(self) -> None:
        """Marks the end of an earlier run as extended."""
        lines = self.read()
        if any(line.get('state') == FINISHED for line in lines):
            for line in lines:
                line.update({'state': EXTENDED} if line.get('state') == FINISHED else {})
            self._replace(lines)

    def write(self, line: dict) -> None:
        """Adds a line, or replaces the one of the same round and iteration.

        Seconds that the replaced line spent on training, and on every step that was not repeated,
        are kept.

        Args:
            line: Content with ``round``, ``iter`` and ``seconds`` (a dict by step).
        """
        lines = {(own['round'], own['iter']): own for own in self.read()}
        key = line['round'], line['iter']
        before = lines.get(key, {}).get('seconds', {})
        trained = {name: value for name, value in before.items() if name == 'train'}
        lines[key] = dict(line, seconds={**before, **line['seconds'], **trained})
        self._replace(sorted(lines.values(), key=lambda own: (own['iter'], own['round'])))

    def _replace(self, lines: list[dict]) -> None:
        write_file(self.path, ''.join(json.dumps(own) + '\n' for own in lines).encode())


def _is_line(line: object) -> bool:
    return misfit(line, LINE) is None


def figures(metrics: dict) -> dict[str, float]:
    """Scalar numbers among metrics; lists, matrices and text are left out."""
    numbers = {
        name: value
        for name, value in metrics.items()
        if isinstance(value, Real) or getattr(value, 'ndim', None) == 0
    }
    return {name: float(value) for name, value in numbers.items()}
