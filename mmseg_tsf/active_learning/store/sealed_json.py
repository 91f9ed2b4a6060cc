"""JSON files that hold a digest of their own content."""

from __future__ import annotations

import hashlib
import json

DIGEST = 'sha256'


def to_sealed_json(values: dict, indent: int | None = None) -> bytes:
    """Content of a file with ``values`` and their digest.

    Args:
        values: JSON-serialisable; keys are strings.
        indent: Indentation for files that people read.
    """
    return json.dumps(dict(values, **{DIGEST: _digest(values)}), indent=indent).encode()


def from_sealed_json(content: bytes) -> dict | None:
    """Values that :func:`to_sealed_json` stored; ``None`` if the content was altered."""
    try:
        values = json.loads(content)
    except ValueError:
        return None
    if not isinstance(values, dict) or values.pop(DIGEST, None) != _digest(values):
        return None
    return values


def _digest(values: dict) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
