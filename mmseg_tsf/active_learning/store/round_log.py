"""What came of each round, one JSON object a line."""

from __future__ import annotations

import json
from numbers import Real
from pathlib import Path

from ...utils.files import StoreError, write_file

FINISHED, EXTENDED = 'finished', 'extended'
"""States of the line that a run ends with, now or before it was told to go on."""


class RoundLog:
    """A file of lines that are replaced when a round is held again after a crash.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict]:
        """All lines, by round.

        Raises:
            StoreError: One is damaged; names it.
        """
        if not self.path.exists():
            return []
        lines = []
        for number, text in enumerate(self.path.read_text(errors='replace').splitlines(), start=1):
            try:
                lines += [json.loads(text)] if text.strip() else []
            except ValueError:
                raise StoreError(
                    f'line {number} of {self.path} is damaged: delete that line, the rounds do not '
                    'depend on it'
                ) from None
        return lines

    def reopen(self) -> None:
        """A finished run goes on: its end is no longer one."""
        lines = self.read()
        if any(line.get('state') == FINISHED for line in lines):
            for line in lines:
                line.update({'state': EXTENDED} if line.get('state') == FINISHED else {})
            self._replace(lines)

    def write(self, line: dict) -> None:
        """Adds a line, in the place of an earlier one of its round and iteration.

        Seconds that went into a round before a stop are kept: those of the training, and of
        whatever was not done again.

        Args:
            line: With ``round``, ``iter`` and ``seconds`` (by what they went into).
        """
        lines = {(own['round'], own['iter']): own for own in self.read()}
        key = line['round'], line['iter']
        before = lines.get(key, {}).get('seconds', {})
        trained = {name: value for name, value in before.items() if name == 'train'}
        lines[key] = dict(line, seconds={**before, **line['seconds'], **trained})
        lines = sorted(lines.values(), key=lambda own: (own['iter'], own['round']))
        self._replace(lines)

    def _replace(self, lines: list[dict]) -> None:
        write_file(self.path, ''.join(json.dumps(own) + '\n' for own in lines).encode())


def figures(metrics: dict) -> dict[str, float]:
    """The single numbers among metrics, which may hold lists, matrices or words, too."""
    numbers = {
        name: value
        for name, value in metrics.items()
        if isinstance(value, Real) or getattr(value, 'ndim', None) == 0
    }
    return {name: float(value) for name, value in numbers.items()}
