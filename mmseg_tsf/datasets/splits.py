"""Lists of labelled and unlabelled images: reading, making, importing and checking them.

A list is a text file with one image name per line, in the form that an MMSegmentation ``ann_file``
takes: the path below the image folder, without the image suffix (``0001TP_006690``,
``aachen/aachen_000000_000019``).
"""

import os
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..utils.errors import UserError

LIST_STYLES = ('u2pl', 'unimatch')

_CITYSCAPES = re.compile(r'(?:leftImg8bit/)?(?:train|val|test)/(.+)_leftImg8bit\.png')
_IMAGE_SUFFIX = re.compile(r'\.(?:png|jpe?g|tiff?|bmp)$', re.IGNORECASE)


def read_list(path: str | os.PathLike) -> list[str]:
    """Read a list of image names and refuse what a training run would trip over later.

    Args:
        path: Text file, one name per line.

    Returns:
        The names in the file's order.

    Raises:
        UserError: The file does not exist.
        UserError: The list is empty, has an empty line, or names an image twice.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f'The list {path} does not exist: make it with tools/make_splits.py or correct '
            f'`ann_file`.'
        )
    names = [line.strip() for line in path.read_text(encoding='utf-8').splitlines()]
    if not any(names):
        raise UserError(f'The list {path} is empty: it needs one image name per line.')
    if '' in names:
        # MMSegmentation would read the empty line as an image without a name.
        raise UserError(f'The list {path} has an empty line ({names.index("") + 1}): remove it.')
    _check_unique(names, path)
    return names


def check_disjoint(
    labelled: Iterable[str],
    unlabelled: Iterable[str],
    labelled_file: str | os.PathLike = 'labelled',
    unlabelled_file: str | os.PathLike = 'unlabelled',
) -> None:
    """Refuse a pair of lists that share an image.

    Args:
        labelled: Names of the labelled images.
        unlabelled: Names of the unlabelled images.
        labelled_file: What the message calls the first list.
        unlabelled_file: What the message calls the second list.

    Raises:
        UserError: An image is in both lists.
    """
    both = sorted(set(labelled) & set(unlabelled))
    if both:
        raise UserError(
            f'{len(both)} image(s) are in both {labelled_file} and {unlabelled_file} '
            f'({_first(both)}): remove them from one of the two lists.'
        )


def seeded_order(names: Iterable[str], seed: int) -> list[str]:
    """Shuffle names in a way that depends on nothing but the names and the seed.

    Names are sorted by code point, then ``random.Random(seed).shuffle`` is applied: the order in
    which a file system lists files, the locale and the hash seed do not matter.

    Args:
        names: Image names in any order.
        seed: Seed of the shuffle.

    Returns:
        All names in the shuffled order.

    Raises:
        UserError: There is no name, or a name occurs twice.
    """
    order = sorted(names)
    if not order:
        raise UserError('There is no image to split.')
    _check_unique(order, 'the images to split')
    random.Random(seed).shuffle(order)
    return order


def class_balanced_order(order: Sequence[str], pixels: np.ndarray) -> list[str]:
    """Order images so that every class, rare ones included, is covered early.

    Greedy: the first image is kept (it carries the seed's variety); then always the image that
    raises ``sum_c sqrt(share_c)`` most, ``share_c`` being the part of all pixels of class c that
    the images taken so far hold. The root makes a class worth less the more of it has been seen.
    Ties go to the earlier image of ``order``.

    Args:
        order: Image names, usually from :func:`seeded_order`.
        pixels: (N, K) pixel counts per image and class, rows as in ``order``.

    Returns:
        The names in the new order.
    """
    pixels = pixels[:, pixels.any(axis=0)]
    shares = pixels / pixels.sum(axis=0, keepdims=True)
    covered, left, picked = np.zeros(shares.shape[1]), np.arange(len(order)), []
    best = 0
    while len(left):
        picked.append(order[left[best]])
        covered += shares[left[best]]
        left = np.delete(left, best)
        if len(left):
            # Rounded, so that images of equal gain tie on every machine.
            best = int(np.sqrt(covered + shares[left]).sum(axis=1).round(9).argmax())
    return picked


def count_of(fraction: str, total: int) -> int:
    """Round a fraction such as ``'1/8'`` of ``total`` to a number of images.

    Args:
        fraction: ``'1/8'`` or ``'0.125'``, between 0 and 1.
        total: Number of images.

    Returns:
        ``round(fraction * total)``, exact halves to the even number, and at least 1.

    Raises:
        UserError: The text is no fraction between 0 and 1.
    """
    try:
        value = Fraction(fraction)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not 0 < value < 1:
        raise UserError(f'{fraction} is not a fraction between 0 and 1, such as 1/8.')
    return max(1, round(value * total))


def nested_splits(order: Sequence[str], counts: Iterable[int]) -> dict[int, tuple[list, list]]:
    """Cut one order into labelled/unlabelled lists; a smaller labelled list is in every larger one.

    Args:
        order: All image names, most wanted first.
        counts: Numbers of labelled images.

    Returns:
        ``{count: (labelled, unlabelled)}``, both sorted.

    Raises:
        UserError: A count is below 1 or leaves no unlabelled image.
    """
    splits = {}
    for count in counts:
        if not 0 < count < len(order):
            raise UserError(
                f'{count} labelled images cannot be taken from {len(order)}: at least one image '
                f'must be labelled and one unlabelled.'
            )
        splits[count] = (sorted(order[:count]), sorted(order[count:]))
    return splits


def parse_line(line: str, style: str) -> str:
    """Turn one line of a published list into the name that an ``ann_file`` takes.

    Args:
        line: ``leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png`` or a bare name
            (``u2pl``); the same with the label file behind it, or
            ``JPEGImages/2007_000733.jpg SegmentationClass/2007_000733.png`` (``unimatch``).
        style: One of ``LIST_STYLES``.

    Returns:
        ``aachen/aachen_000000_000019`` for Cityscapes; elsewhere the image path without its first
        folder and its suffix.

    Raises:
        UserError: The line does not have the number of columns of that style.
    """
    columns = line.split()
    expected = {'u2pl': 1, 'unimatch': 2}[style]
    if len(columns) != expected:
        raise UserError(f'"{line.strip()}" is not a {style} line of {expected} column(s)')
    cityscapes = _CITYSCAPES.fullmatch(columns[0])
    if cityscapes:
        return cityscapes.group(1)
    return _IMAGE_SUFFIX.sub('', columns[0].split('/', 1)[-1])


def parse_lines(path: str | os.PathLike, style: str) -> list[str]:
    """Read a published list; see :func:`parse_line` for the two styles.

    Raises:
        UserError: The file does not exist.
        UserError: A line is not in that style; or see :func:`read_list`.
    """
    names = []
    for number, line in enumerate(read_list(path), start=1):
        try:
            names.append(parse_line(line, style))
        except ValueError as error:
            raise UserError(f'{path}, line {number}: {error}.') from None
    _check_unique(names, path)
    return names


def write_lists(lists: dict[Path, Sequence[str]], force: bool = False) -> None:
    """Write lists, all or none; a list that is there already and differs is refused.

    Args:
        lists: Names by file.
        force: Replace lists that differ.

    Raises:
        UserError: A different list is there and ``force`` is not set.
    """
    texts = {Path(path): ''.join(f'{name}\n' for name in names) for path, names in lists.items()}
    for path, text in texts.items():
        if path.exists() and path.read_text(encoding='utf-8') != text and not force:
            raise UserError(
                f'{path} exists and holds another list: choose another folder or --force.'
            )
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode('utf-8'))


def _check_unique(names: Sequence[str], source: object) -> None:
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise UserError(
            f'{source}: {len(twice)} image(s) occur more than once ({_first(twice)}): keep one.'
        )


def _first(names: Sequence[str], shown: int = 3) -> str:
    return ', '.join(names[:shown]) + (', ...' if len(names) > shown else '')
