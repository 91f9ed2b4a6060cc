"""JSON and XML of an export: their content, or one :class:`~mmseg_tsf.utils.errors.UserError`."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from ....utils.errors import UserError
from .values import brief

MAX_BYTES = 512 << 20
"""Largest size of a document."""
MAX_WEIGHT = 50_000_000
"""Largest sum of the weights below, which bounds the memory of a document to about 2 GB."""
JSON_WEIGHTS = {b',': 1, b'[': 4, b'{': 8}
XML_WEIGHTS = {b'<': 5, b'=': 5}
MAX_DEPTH = 64
"""Largest number of XML elements inside of each other; JSON has the interpreter's own limit."""
LONGEST_INTEGER = 18
"""Number of digits above which an integer of a JSON file becomes a float, perhaps infinite."""


def parse_json(content: bytes, where: str, max_bytes: int = MAX_BYTES) -> object:
    """Content of a JSON file in UTF-8, 16 or 32, with or without a byte order mark.

    Integers of more than 18 digits become floats, and ``NaN`` and ``Infinity`` are kept: readers of
    values refuse them where they stand, so that one of them does not refuse the whole file.

    Args:
        content: Content of the file.
        where: Place of the file, for error messages.
        max_bytes: Largest size.

    Raises:
        UserError: The content is not JSON, exceeds a limit, or has a key twice in one object, as
            files that were joined by hand may have.
    """
    _check_amount(content, where, JSON_WEIGHTS, max_bytes)
    try:
        text = content.decode(json.detect_encoding(content))
        return json.loads(text, parse_int=_integer, object_pairs_hook=_unique)
    except _RepeatedKey as error:
        raise UserError(
            f'{where} has {brief(error.args[0])!r} twice in one object: join its contents'
        ) from None
    except RecursionError:
        raise UserError(f'{where} is nested too deeply: export it again') from None
    except ValueError:
        raise UserError(f'{where} is not JSON: export it again') from None


def parse_xml(content: bytes, where: str) -> ElementTree.Element:
    """Root element of an XML file.

    Args:
        content: Content of the file.
        where: Place of the file, for error messages.

    Raises:
        UserError: The content is not XML, exceeds a limit, or declares a document type, which could
            define entities without a limit.
    """
    _check_amount(content, where, XML_WEIGHTS, MAX_BYTES)
    parser = ElementTree.XMLParser(target=_LimitedTree(where))
    try:
        parser.feed(content)
        return parser.close()
    except UserError:
        raise
    except (ElementTree.ParseError, ValueError, LookupError, AssertionError):
        raise UserError(f'{where} is not XML: export it again') from None


class _LimitedTree(ElementTree.TreeBuilder):
    """Tree builder with a limit on depth and without document types."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where, self.depth = where, 0

    def start(self, tag: str, attributes: dict[str, str]) -> ElementTree.Element:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UserError(f'{self.where} is nested too deeply: export it again')
        return super().start(tag, attributes)

    def end(self, tag: str) -> ElementTree.Element:
        self.depth -= 1
        return super().end(tag)

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise UserError(
            f'{self.where} declares the document type {brief(name)}, which no export does: remove '
            'the line with "<!DOCTYPE"'
        )


def _check_amount(content: bytes, where: str, weights: dict[bytes, int], max_bytes: int) -> None:
    if len(content) > max_bytes:
        raise UserError(
            f'{where} has {len(content) >> 20} MiB, more than {max_bytes >> 20}: export fewer '
            'images at a time'
        )
    if sum(content.count(mark) * weight for mark, weight in weights.items()) > MAX_WEIGHT:
        raise UserError(f'{where} holds too many values: export fewer images at a time')


class _RepeatedKey(Exception):
    """A key that stands twice in one object."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKey(max(keys, key=keys.count))
    return found


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)
