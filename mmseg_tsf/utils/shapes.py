"""Shapes of JSON files: what their readers rely on, checked once when they are read."""

from __future__ import annotations

from types import UnionType

from .errors import UserError

NUMBER = int | float
TEXT = str | None
Shape = type | UnionType | list | dict
"""A type; ``[shape]`` for a list; ``{'key': shape}`` for an object in which keys may be absent,
with ``...`` for any other key; ``object`` for anything."""


class Record(dict):
    """Object of a file in which a key that is asked for and absent is a mistake of the file.

    Args:
        content: The object.
        where: Name of the file.
        remedy: What to do.

    Raises:
        UserError: From ``record[key]``, where the key is absent.
    """

    def __init__(self, content: dict, where: object, remedy: str) -> None:
        super().__init__(content)
        self.where, self.remedy = where, remedy

    def __missing__(self, key: str) -> None:
        raise UserError(f'{self.where} has no {key!r}: {self.remedy}')


def read_as(content: object, shape: Shape, where: object, remedy: str) -> Record:
    """Object of a file, checked.

    Args:
        content: What the file holds.
        shape: What it should hold.
        where: Name of the file.
        remedy: What to do if it holds something else.

    Raises:
        UserError: The content has another shape; the message names the place.
    """
    found = misfit(content, shape)
    if found is not None:
        place = f'{found.lstrip(".")} of it is' if found else 'it is'
        raise UserError(f'{where} was not written by this package, {place} unlike it: {remedy}')
    return Record(content, where, remedy)


def misfit(value: object, shape: Shape, place: str = '') -> str | None:
    """Place of the first part of a value that is unlike its shape; ``None`` if there is none."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            return place
        parts = ((item, shape[0], f'{place}.{i}') for i, item in enumerate(value))
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            return place
        other = shape.get(...)
        named = [(item, shape.get(key, other), f'{place}.{key}') for key, item in value.items()]
        parts = (part for part in named if part[1] is not None)
    else:
        is_number = not isinstance(value, bool)  # which Python takes for a whole number
        return None if shape is object or is_number and isinstance(value, shape) else place
    return next((bad for part in parts if (bad := misfit(*part)) is not None), None)
