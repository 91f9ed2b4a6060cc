"""What came of each round, one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path

from .files import write_file


class RoundLog:
    """A file of lines that are replaced when a round is held again after a crash.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict]:
        """All lines, by round."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]

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
        write_file(self.path, ''.join(json.dumps(own) + '\n' for own in lines).encode())
