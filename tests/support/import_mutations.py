"""Random damages of files: of their bytes, and of what their kind is made of."""

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from xml.etree import ElementTree

DEEP = '@DEEP@'
VALUES = [
    None, True, 0, -1, 1, 2**31, 2**63, -(2**63), 10**25, 0.5, 1e19, 1e308, float('nan'),
    float('inf'), -float('inf'), '', 'x', '1', 'nan', '../../x', '\ud800', 'ä' * 3, 'a\n\x00',
    'x' * 5000, [], {}, [[]], [{}], [None], {'a': None}, [0, 0], [1, 2, 3], [[1, 2], [3]],
    list(range(3000)), DEEP,
]  # fmt: skip
TEXTS = [
    '', 'x', '-1', '0', '1e99', 'nan', 'inf', '9' * 5000, '1_0', '٣', ';', ',', ',,;', '0,0',
    '1,1;nan,2;3,3', '4611686018427387904,4611686018427387904,4611686018427387904', '2' * 40,
    ', '.join(['1'] * 5000), 'ä', '../..', 'a&#10;b',
]  # fmt: skip
BITS = (b'\xef\xbb\xbf', b'\xff\xfe', b'\xfe\xff', b'\x00', b'\x00' * 64, b'\xff', b'PK\x05\x06',
        b'NaN', b'null', b'[' * 100_000, b'{"a":' * 100_000, b'<a>' * 100_000, b'&a;', b'"', b'-',
        b'9' * 400, b'<!DOCTYPE a [<!ENTITY a "b">]>', b'\xed\xa0\x80')  # fmt: skip


def mutate(files: dict[str, bytes], rng: Random) -> dict[str, bytes]:
    """Files of which one or two are damaged once or a few times."""
    files = dict(files)
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice(sorted(files))
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            files[name] = _damage(name, files[name], rng)
    if rng.random() < 0.1:
        name = rng.choice(sorted(files))
        new = rng.choice(('x', '../x', f'0a1b2c3d-{name[-9:]}', f'z/{name}', name.upper(), 'ä\n'))
        files[new + name[-5:]] = files.pop(name) if rng.random() < 0.5 else files[name]
    return files


def pack(files: dict[str, bytes], path: Path, rng: Random) -> Path:
    """Writes files as a folder, an archive (perhaps a damaged one), or a single file."""
    how = rng.choice(('folder', 'archive', 'file' if len(files) == 1 else 'folder'))
    if how == 'archive':
        path = path.with_suffix('.zip')
        kind = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
        top = rng.choice(('', '', 'top/', 'top\\'))
        with zipfile.ZipFile(path, 'w', kind) as archive:
            for name, content in files.items():
                archive.writestr(top + name, content)
        if rng.random() < 0.5:
            path.write_bytes(_damage_bytes(path.read_bytes(), rng))
        return path
    path.mkdir()
    for name, content in files.items():
        inside = path.joinpath(*(part for part in name.split('/') if part not in ('', '..')))
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_bytes(content)
    return inside if how == 'file' else path


def _damage(name: str, content: bytes, rng: Random) -> bytes:
    kinds: dict[str, Callable[[bytes, Random], bytes]] = {
        '.json': _damage_json,
        '.xml': _damage_xml,
        '.png': _damage_png,
    }
    inner = kinds.get(Path(name).suffix, _damage_bytes)
    return rng.choice((inner, inner, _damage_bytes, _damage_text))(content, rng)


def _damage_bytes(content: bytes, rng: Random) -> bytes:
    changed, at = bytearray(content), rng.randrange(len(content) + 1)
    how = rng.randrange(5)
    if how == 0:
        for _ in range(rng.choice((1, 3, 30))):
            if changed:
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif how == 1:
        del changed[at:]
    elif how == 2:
        del changed[at : at + rng.choice((1, 4, 100))]
    elif how == 3:
        changed[at:at] = changed[at : at + rng.choice((1, 8, 1000))]
    else:
        at = rng.choice((0, at, len(changed)))
        changed[at:at] = rng.choice(BITS)
    return bytes(changed)


def _damage_text(content: bytes, rng: Random) -> bytes:
    """Another encoding, or another number in the place of one."""
    if rng.random() < 0.3:
        text = content.decode('latin-1')
        return text.encode(rng.choice(('utf-16', 'utf-8-sig', 'utf-32', 'utf-7', 'utf-16-be')))
    numbers = list(re.finditer(rb'-?\d+(\.\d+)?', content[:200_000]))
    if not numbers:
        return _damage_bytes(content, rng)
    found = rng.choice(numbers)
    new = rng.choice(TEXTS).encode()
    return content[: found.start()] + new + content[found.end() :]


def _damage_json(content: bytes, rng: Random) -> bytes:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return _damage_bytes(content, rng)
    places = list(_places(tree))
    for _ in range(rng.choice((1, 1, 3))):
        if not places:
            return json.dumps(rng.choice(VALUES[:-1])).encode()
        parent, key = rng.choice(places)
        if isinstance(parent, list) and rng.random() < 0.3:
            if key < len(parent):
                parent.insert(key, parent[key])
        elif rng.random() < 0.2 and (key in parent if isinstance(parent, dict) else parent):
            parent.pop(key if isinstance(parent, dict) else -1)
        elif isinstance(parent, dict) or key < len(parent):
            parent[key] = rng.choice(VALUES + [rng.choice(places)[0]])
    try:
        text = json.dumps(tree)
    except (ValueError, RecursionError):  # it holds itself
        return content
    mark, depth = json.dumps(DEEP), rng.choice((50, 900, 5000, 100_000))
    return text.replace(mark, '[' * depth + ']' * depth).encode()


def _places(tree: object):
    """Parents and keys of all values."""
    waiting = [tree] if isinstance(tree, (dict, list)) else []
    while waiting:
        parent = waiting.pop()
        items = parent.items() if isinstance(parent, dict) else enumerate(parent)
        for key, value in list(items)[:40]:
            yield parent, key
            if isinstance(value, (dict, list)):
                waiting.append(value)


def _damage_xml(content: bytes, rng: Random) -> bytes:
    try:
        root = ElementTree.fromstring(content)
    except (ValueError, LookupError, ElementTree.ParseError):
        return _damage_bytes(content, rng)
    elements = list(root.iter())
    element = rng.choice(elements)
    how = rng.randrange(4)
    if how == 0 and element.attrib:
        element.set(rng.choice(list(element.attrib)), rng.choice(TEXTS))
    elif how == 1 and element.attrib:
        del element.attrib[rng.choice(list(element.attrib))]
    elif how == 2:
        element.tag = rng.choice(('image', 'box', 'mask', 'points', 'track', 'x', 'ellipse'))
    else:
        other = rng.choice(elements)
        if element not in other.iter():
            element.append(other)
    return ElementTree.tostring(root, encoding=rng.choice(('utf-8', 'utf-16', 'latin-1')))


def _damage_png(content: bytes, rng: Random) -> bytes:
    """Another value in a chunk whose checksum is right again."""
    starts, at = [], 8
    while at + 12 <= len(content):
        starts.append(at)
        at += 12 + int.from_bytes(content[at : at + 4], 'big')
    if not starts or at > len(content):
        return _damage_bytes(content, rng)
    at = starts[0] if rng.random() < 0.6 else rng.choice(starts)
    num = int.from_bytes(content[at : at + 4], 'big')
    body = bytearray(content[at + 4 : at + 8 + num])
    for _ in range(rng.choice((1, 2))):
        place = (
            rng.randrange(len(body)) if rng.random() < 0.2 or not num else 4 + rng.randrange(num)
        )
        body[min(place, len(body) - 1)] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 127, 255))
    checksum = struct.pack('>I', zlib.crc32(bytes(body)))
    return content[: at + 4] + bytes(body) + checksum + content[at + 12 + num :]
