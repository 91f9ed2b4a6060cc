"""Names and colours of the classes in an annotation tool."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError
from .readers.values import brief

ASKED = 'asked'
"""Label of the outlines of a request; carries no class."""
VOID = 'cannot be said'
"""Label of pixels whose class nobody can tell."""
RESERVED = ('background', ASKED, VOID)
"""Names with another meaning; CVAT paints unlabelled pixels as ``background``."""
ASKED_COLOUR, VOID_COLOUR = (255, 255, 0), (255, 255, 255)


@dataclass(frozen=True)
class LabelSet:
    """Labels that annotators can choose from.

    Attributes:
        classes: Class names in the order of their ids.

    Raises:
        UserError: Two classes have the same name.
    """

    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        twice = {name for name in self.classes if self.classes.count(name) > 1}
        if twice:
            raise UserError(
                f'the class name {min(twice)} occurs twice, and annotation tools identify '
                "classes by name: rename one in the data set's metainfo"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names in the tool in the order of class ids."""
        return tuple(f'{name} (class)' if name in RESERVED else name for name in self.classes)

    @cached_property
    def colours(self) -> tuple[tuple[int, int, int], ...]:
        """RGB colour of each class: all different, not black and not one of the two reserved."""
        return tuple(colour(index + 1) for index in range(len(self.classes)))

    @cached_property
    def palette(self) -> dict[str, tuple[int, int, int]]:
        """RGB colours by name in the order of the tool: the classes, then :data:`VOID`."""
        return {**dict(zip(self.names, self.colours, strict=True)), VOID: VOID_COLOUR}

    def value(self, name: str, where: str) -> int | None:
        """Class id of a label, 255 for :data:`VOID`, ``None`` for :data:`ASKED`.

        Args:
            name: Name in the tool, or of the class.
            where: Place of the label, for the error message.

        Raises:
            UserError: The label is not a class.
        """
        if name in self.names:
            return self.names.index(name)
        if name in (ASKED, VOID):
            return IGNORE_INDEX if name == VOID else None
        if name in self.classes:
            return self.classes.index(name)
        raise UserError(
            f'{where} has the label {brief(name)!r}, which is not a class '
            f'({", ".join(self.names)}): rename it in the annotation tool and export again'
        )


def colour(index: int) -> tuple[int, int, int]:
    """RGB colour of an index below 256 in the colour map of Pascal VOC; 0 is black."""
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return tuple(channels)


def as_hex(rgb: tuple[int, int, int]) -> str:
    """Colour as ``'#rrggbb'``."""
    return '#{:02x}{:02x}{:02x}'.format(*rgb)
