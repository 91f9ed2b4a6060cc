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

from ..utils.errors import UserError, some_of

LIST_STYLES = ('u2pl', 'unimatch')

_CITYSCAPES = re.compile(r'(?:leftImg8bit/)?(?:train|val|test)/(.+)_leftImg8bit\.png')
_IMAGE_SUFFIX = re.compile(r'\.(?:png|jpe?g|tiff?|bmp)$', re.IGNORECASE)


def read_list(path: str | os.PathLike, may_be_empty: bool = False) -> list[str]:
    """Reads a list of image names and checks it.

    Args:
        path: Text file, one name per line.
        may_be_empty: Whether a file without any name is a list of nothing.

    Returns:
        list[str]: Names in the order of the file.

    Raises:
        UserError: The file does not exist, is empty, has an empty line, or names an image twice.
        UserError: The file is no UTF-8 text, or begins with a byte order mark.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f'The list {path} does not exist: write it with tools/make_splits.py or correct '
            f'`ann_file`.'
        )
    names = [line.strip() for line in _text_of(path).removesuffix('\n').split('\n')]
    if names == ['']:
        names = []
    if not names and may_be_empty:
        return []
    if not any(names):
        raise UserError(f'The list {path} is empty: it needs one image name per line.')
    if '' in names:
        # MMSegmentation would read the empty line as an image without a name
        raise UserError(f'The list {path} has an empty line ({names.index("") + 1}): remove it.')
    _check_unique(names, path)
    return names


def _text_of(path: Path) -> str:
    """Text of a file as MMSegmentation reads it."""
    try:
        text = path.read_text(encoding='utf-8')
    except UnicodeDecodeError:
        text = '\0'
    if '\0' in text:
        raise UserError(
            f'The list {path} is no UTF-8 text (UTF-16 or Latin-1, perhaps): save it as UTF-8.'
        )
    if text.startswith('\ufeff'):
        raise UserError(
            f'The list {path} begins with a byte order mark, which MMSegmentation would take for a '
            'part of the first name: save it as UTF-8 without BOM.'
        )
    return text


def check_disjoint(
    labelled: Iterable[str],
    unlabelled: Iterable[str],
    labelled_file: str | os.PathLike = 'labelled',
    unlabelled_file: str | os.PathLike = 'unlabelled',
) -> None:
    """Checks that two lists share no image.

    Args:
        labelled: Names of the labelled images.
        unlabelled: Names of the unlabelled images.
        labelled_file: Name of the first list in the message.
        unlabelled_file: Name of the second list in the message.

    Raises:
        UserError: An image is in both lists.
    """
    both = sorted(set(labelled) & set(unlabelled))
    if both:
        raise UserError(
            f'{len(both)} image(s) are in both {labelled_file} and {unlabelled_file} '
            f'({some_of(both)}): remove them from one of the two lists.'
        )


def seeded_order(names: Iterable[str], seed: int) -> list[str]:
    """Shuffles names; the order depends on the names and the seed only.

    Names are sorted by code point, then ``random.Random(seed).shuffle`` is applied: the order in
    which a file system lists files, the locale and the hash seed do not matter.

    Args:
        names: Image names in any order.
        seed: Seed of the shuffle.

    Returns:
        list[str]: All names in the shuffled order.

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
    """Orders images so that every class, rare ones included, is covered early.

    A greedy order: the first image stays first, so that seeds differ; each next image is the one
    that raises ``sum_c sqrt(share_c)`` most, where ``share_c`` is the share of all pixels of class
    c in the images taken so far. The square root lowers the value of a class the more of it has
    been covered. Of equal images the earlier one in ``order`` is taken.

    Args:
        order: Image names, usually from :func:`seeded_order`.
        pixels: (N, K) pixel counts per image and class, rows as in ``order``.

    Returns:
        list[str]: Names in the new order.
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
            # rounded, so that equal gains are equal on every machine
            best = int(np.sqrt(covered + shares[left]).sum(axis=1).round(9).argmax())
    return picked


def count_of(fraction: str, total: int) -> int:
    """Rounds a fraction of ``total``, such as ``'1/8'``, to a number of images.

    Args:
        fraction: ``'1/8'`` or ``'0.125'``, between 0 and 1.
        total: Number of images.

    Returns:
        int: ``round(fraction * total)``, exact halves to the even number, and at least 1.

    Raises:
        UserError: The text is not a fraction between 0 and 1.
    """
    try:
        value = Fraction(fraction)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not 0 < value < 1:
        raise UserError(f'{fraction} is not a fraction between 0 and 1, such as 1/8.')
    return max(1, round(value * total))


def nested_splits(order: Sequence[str], counts: Iterable[int]) -> dict[int, tuple[list, list]]:
    """Cuts one order into labelled and unlabelled lists; a larger labelled list holds smaller ones.

    Args:
        order: All image names; the first ones are labelled first.
        counts: Numbers of labelled images.

    Returns:
        dict[int, tuple[list, list]]: Labelled and unlabelled names by count, both sorted.

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
    """Converts one line of a published list to the name that an ``ann_file`` takes.

    Args:
        line: ``leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png`` or a bare name
            (``u2pl``); the same with the label file behind it, or
            ``JPEGImages/2007_000733.jpg SegmentationClass/2007_000733.png`` (``unimatch``).
        style: One of ``LIST_STYLES``.

    Returns:
        str: ``aachen/aachen_000000_000019`` for Cityscapes; for other data sets the image path
        without its first folder and its suffix.

    Raises:
        UserError: The line has another number of columns than that style.
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
    """Reads a published list; see :func:`parse_line` for the two styles.

    Raises:
        UserError: A line is not in that style, or see :func:`read_list`.
    """
    names = []
    for number, line in enumerate(read_list(path), start=1):
        try:
            names.append(parse_line(line, style))
        except UserError as error:
            raise UserError(f'{path}, line {number}: {error}.') from None
    _check_unique(names, path)
    return names


def write_lists(lists: dict[Path, Sequence[str]], force: bool = False) -> None:
    """Writes lists, all or none; existing lists that differ are kept.

    Args:
        lists: Names by file.
        force: Whether to replace lists that differ.

    Raises:
        UserError: A file holds another list, and ``force`` is not set.
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
            f'{source}: {len(twice)} image(s) occur more than once ({some_of(twice)}): keep one.'
        )
