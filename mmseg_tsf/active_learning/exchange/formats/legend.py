"""Legend of pictures of colours, in the form of CVAT's ``labelmap.txt``.

CVAT paints unlabelled pixels as background, so the colour of the background carries no label,
unless the task has a label of that name.
"""

from __future__ import annotations

import numpy as np

from ....utils.errors import UserError
from ..answers import ImageLabels
from ..label_set import ASKED, LabelSet
from ..readers.values import brief
from ..tool_export import ToolExport

LABELMAP, BACKGROUND = 'labelmap.txt', 'background'
Legend = dict[int, str]
"""Names of labels by their colours ``0xrrggbb``; ``ASKED`` for the colour without a label."""


class Legends:
    """Legends of an export, each read once.

    Args:
        export: Files that the tool has written.
        labels: Labels to choose from.
    """

    def __init__(self, export: ToolExport, labels: LabelSet) -> None:
        self.export, self.labels = export, labels
        self.files = {name for name in export.names if name.rpartition('/')[2] == LABELMAP}
        self._read: dict[str, Legend] = {}

    def of(self, name: str) -> Legend | None:
        """Legend in the nearest folder above a file; ``None`` if there is none.

        Raises:
            UserError: The legend cannot be read.
        """
        while name:
            name = name.rpartition('/')[0]
            file = f'{name}/{LABELMAP}' if name else LABELMAP
            if file in self.files:
                if file not in self._read:
                    text = self.export.read(file).decode('utf-8-sig', 'replace')
                    where = f'{self.export.path}: {brief(file)}'
                    self._read[file] = parse_labelmap(text, self.labels, where)
                return self._read[file]
        return None


def write_legend(labels: LabelSet) -> str:
    """Text of a legend with the colours of all labels."""
    lines = [f'{name}:{r},{g},{b}::' for name, (r, g, b) in labels.palette.items()]
    return '\n'.join(['# label:color_rgb:parts:actions', f'{BACKGROUND}:0,0,0::', *lines, ''])


def parse_labelmap(text: str, labels: LabelSet, where: str) -> Legend:
    """Names of labels by their colours.

    Args:
        text: Lines of ``name:red,green,blue:parts:actions``.
        labels: Labels to choose from.
        where: Place of the text, for error messages.

    Raises:
        UserError: A line cannot be read, or two labels share a colour or a name.
    """
    lines: dict[str, int] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith('#'):
            continue
        name, code = _parse_line(line, where)
        if lines.setdefault(name, code) != code:
            raise UserError(
                f'{where} gives two colours to {brief(name)!r}: give each export its own folder'
            )
    renamed = dict(zip(labels.classes, labels.names, strict=True)).get(BACKGROUND)
    unlabelled = renamed is None or renamed in lines  # the task has no label of that name
    names: Legend = {}
    for name, code in lines.items():
        if code in names:
            raise UserError(
                f'{where} gives the colour #{code:06x} to {brief(names[code])!r} and '
                f'{brief(name)!r}: change one of them in CVAT and export again'
            )
        names[code] = ASKED if unlabelled and name == BACKGROUND else name
    return names


def paint_colours(codes: np.ndarray, legend: Legend, labels: LabelSet, where: str) -> ImageLabels:
    """Labels that a picture of colours gives.

    Args:
        codes: ``(H, W)`` int32 colours ``0xrrggbb``; -1 where there is none.
        legend: Names of labels by their colours.
        labels: Labels to choose from.
        where: Place of the picture, for error messages.

    Raises:
        UserError: A colour is not declared, or a label is not a class.
    """
    found = ImageLabels(codes.shape)
    for code in np.unique(codes).tolist():
        if code not in legend and code != -1:
            raise UserError(
                f'{where} has the colour #{code:06x}, which its {LABELMAP} does not declare: '
                'export it again, as PNG and without smooth edges'
            )
        value = None if code == -1 else labels.value(legend[code], where)
        if value is not None:
            found.paint(codes == code, value)
    return found


def _parse_line(line: str, where: str) -> tuple[str, int]:
    try:
        name, rgb, _, _ = line.rsplit(':', 3)
        channels = [int(part) for part in rgb.split(',')]
        if len(channels) == 3 and all(0 <= channel < 256 for channel in channels):
            return name, channels[0] << 16 | channels[1] << 8 | channels[2]
    except ValueError:
        pass
    raise UserError(
        f'{where} has the line {brief(line)!r}, which is not name:red,green,blue:parts:actions'
    )
