"""Names that tools give to images, and the ids that they belong to."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs, unquote, urlsplit

from ...utils.errors import UserError
from .readers.values import brief

TAG = re.compile(r'(?:^|/)(round_(\d{3,})-[0-9a-f]{8})/')
"""Folder that names a request, see :func:`tag_of`."""
HASH_PREFIX = re.compile(r'[0-9a-f]{8}-(.+)')
"""Name of an upload in Label Studio, which also replaces spaces."""
ROBOFLOW = re.compile(r'(.+)_(?:jpe?g|png|bmp|tiff?|webp)\.rf\.[0-9A-Za-z]+')
"""Name of an image in an export of Roboflow, which also replaces dots and spaces."""


def tag_of(number: int, digest: str) -> str:
    """Folder of the images of a request in a package, by which an export names its request."""
    return f'round_{number:03d}-{digest[:8]}'


def check_tags(names: Iterable[str], tag: str, where: str) -> None:
    """Compares the request that names belong to with the one that waits.

    Args:
        names: Names of images in an export.
        tag: Tag of the request that waits.
        where: Place of the export, for the error message.

    Raises:
        UserError: An image was exported for another request.
    """
    for found in filter(None, map(TAG.search, map(_plain, names))):
        if found[1] != tag:
            raise UserError(
                f'{where} holds {brief(found.string)}, which was exported for the request '
                f'{found[1]}, but {tag} waits for answers: import what was exported for that'
            )


def name_of_url(url: str) -> str:
    """Path of an image that a tool knows by its address, or by a parameter ``d`` of it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return parse_qs(parts.query).get('d', [unquote(parts.path)])[0]


def match_names(names: Iterable[str], ids: Iterable[str], tag: str) -> dict[str, str]:
    """Ids of the images that are meant by names in an export.

    The first of these that fits exactly one image which nothing before has fitted:

    1. the path as exported, with or without its suffix;
    2. the same below further folders;
    3. the name without folders, where no other requested image and no other file is called so;
    4. such a name as Label Studio or Roboflow decorates it.

    Unicode may be composed or not, and folders be separated by ``\\\\``.

    Args:
        names: Names in the export.
        ids: Ids of the requested images.
        tag: Folder that stands for the request, see :func:`tag_of`.

    Returns:
        dict: Ids by name; ambiguous and unknown names are not in it.
    """
    plain = {name: _plain(name).removeprefix(f'{tag}/') for name in dict.fromkeys(names)}
    known = {_plain(image_id): image_id for image_id in ids}
    found: dict[str, str] = {}
    for name, path in plain.items():
        image_id = next((known[key] for key in _stems(path) if key in known), None)
        if image_id is not None:
            found[name] = image_id
    for look in (_below_folders, _by_basename, _decorated):
        taken = set(found.values())
        left = {key: image_id for key, image_id in known.items() if image_id not in taken}
        rest = {name: path for name, path in plain.items() if name not in found}
        found |= _unambiguous(look(rest, left, known))
    return found


def _below_folders(
    rest: dict[str, str], left: dict[str, str], known: dict[str, str]
) -> list[tuple[str, str]]:
    """Names that end in an id, below the same folders as most or with a unique last part."""
    pairs = []
    for name, path in rest.items():
        parts = path.split('/')
        tails = ((i, key) for i in range(1, len(parts)) for key in _stems('/'.join(parts[i:])))
        fit = next(((i, left[key]) for i, key in tails if key in left), None)
        if fit:
            pairs.append((name, fit[1], '/'.join(parts[: fit[0]])))
    roots = Counter(root for _, _, root in pairs).most_common(1)
    sure = {root for root, _ in roots}
    amounts = Counter(map(_last, known))
    return [
        (name, image_id)
        for name, image_id, root in pairs
        if root in sure or amounts[_last(_plain(image_id))] == 1
    ]


def _by_basename(
    rest: dict[str, str], left: dict[str, str], known: dict[str, str]
) -> list[tuple[str, str]]:
    return _equal(rest, left, known, lambda stem: [stem], str)


def _decorated(
    rest: dict[str, str], left: dict[str, str], known: dict[str, str]
) -> list[tuple[str, str]]:
    def uploaded(stem: str) -> list[str]:
        return [found[1] for found in [HASH_PREFIX.fullmatch(stem)] if found]

    def augmented(stem: str) -> list[str]:
        return [found[1] for found in [ROBOFLOW.fullmatch(stem)] if found]

    return [
        *_equal(rest, left, known, uploaded, lambda key: re.sub(r'[^-\w.]', '', _joined(key))),
        *_equal(rest, left, known, augmented, lambda key: re.sub(r'[^-\w]', '-', key)),
    ]


def _equal(
    rest: dict[str, str],
    left: dict[str, str],
    known: dict[str, str],
    undress: Callable[[str], list[str]],
    dress: Callable[[str], str],
) -> list[tuple[str, str]]:
    """Names and ids with the same last part, which no other id has, once both are transformed."""
    amounts = Counter(dress(_last(key)) for key in known)
    wanted = {dress(_last(key)): image_id for key, image_id in left.items()}
    stems = ((name, stem) for name, path in rest.items() for stem in _stems(_last(path)))
    return [
        (name, wanted[plain])
        for name, stem in stems
        for plain in undress(stem)
        if amounts[plain] == 1 and plain in wanted
    ]


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Pairs of which no name and no id occurs in another pair."""
    pairs = set(pairs)
    names, ids = Counter(name for name, _ in pairs), Counter(image_id for _, image_id in pairs)
    return {name: i for name, i in pairs if names[name] == 1 and ids[i] == 1}


def _plain(name: str) -> str:
    name = unicodedata.normalize('NFC', name.replace('\\', '/'))
    return re.sub(r'^(?:\./|/)+', '', name)


def _stems(path: str) -> tuple[str, str]:
    """A path as it is, and without its suffix."""
    return path, path[: path.rfind('.')] if '.' in _last(path) else path


def _last(path: str) -> str:
    return path[path.rfind('/') + 1 :]


def _joined(name: str) -> str:
    return name.strip().replace(' ', '_')
