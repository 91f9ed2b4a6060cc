"""Building of the page from its sources in ``web/``."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ..annotation_plan import AnnotationPlan
from ..label_set import LabelSet
from .saved import FORMAT, VERSION
from .units import encode_units, number_units

PAGE = 'annotate.html'
"""Name of the page in a request folder or package."""
WEB = Path(__file__).parent / 'web'
HUES = ('#e69f00', '#56b4e9', '#009e73', '#f0e442', '#0072b2', '#d55e00', '#cc79a7')
"""Colours of the classes, which colour-blind people can tell apart: those of Okabe and Ito (2008).

Black is left to the outlines, together with white. From the eighth class on colours return with a
pattern.
"""
PATTERNS = 6
"""Number of patterns: plain, rising and falling lines, level and upright lines, dots."""
MODULES = (
    *('codec', 'shapes', 'clock', 'work', 'store', 'saved', 'pictures', 'paint', 'view'),
    *('splitting', 'pointer', 'panel', 'overview', 'keys', 'session', 'viewer', 'actions', 'app'),
)
"""Modules of the page; each imports only from those before it."""


@dataclass
class PageImage:
    """One image of the page.

    Attributes:
        image_id: Id of the image.
        file: Path of its file relative to the page, with ``/`` between folders.
        size: Height and width.
        units: Number of units.
        data: Encoded units, see :func:`~.units.encode_units`.
    """

    image_id: str
    file: str
    size: tuple[int, int]
    units: int
    data: str

    @classmethod
    def make(
        cls,
        image_id: str,
        file: str,
        plan: AnnotationPlan,
        pixels: np.ndarray,
        belief: np.ndarray | None,
    ) -> PageImage:
        """Encodes what is asked about an image.

        Args:
            image_id: Id of the image.
            file: Path of its file relative to the page.
            plan: Regions and single pixels to ask.
            pixels: ``(H, W, 3)`` uint8 image.
            belief: ``(H, W)`` uint8 predicted class ids, 255 where there is none, or ``None``.
        """
        units = number_units(plan, pixels, belief)
        return cls(image_id, file, units.shape, int(units.max()), encode_units(units, belief))


def build_page(request: str, number: int, labels: LabelSet, images: Iterable[PageImage]) -> bytes:
    """The page as one file, which needs nothing but the image files beside it.

    Args:
        request: Digest of the request, to which the saved answers refer.
        number: Number of the round.
        labels: Classes to choose from.
        images: Images in the order in which they are asked.
    """
    listed = [
        dict(
            id=image.image_id,
            file=quote(image.file),
            height=image.size[0],
            width=image.size[1],
            units=image.units,
            data=image.data,
        )
        for image in images
    ]
    data = dict(
        format=FORMAT,
        version=VERSION,
        request=request,
        round=number,
        # units have other numbers if the same request is cut in another way
        work=hashlib.sha256(json.dumps([request, listed]).encode()).hexdigest(),
        classes=class_styles(labels.names),
        cannot_be_said=IGNORE_INDEX,
        images=listed,
    )
    content = json.dumps(data, ensure_ascii=False).replace('<', '\\u003c')
    parts = dict(
        style=(WEB / 'page.css').read_text(encoding='utf-8'),
        script=''.join(_module(name) for name in MODULES),
        request=content,
    )
    page = (WEB / 'page.html').read_text(encoding='utf-8')
    return re.sub(r'/\*\{(\w+)\}\*/', lambda found: parts[found[1]], page).encode()


def class_styles(names: tuple[str, ...]) -> list[dict]:
    """Name, colour and number of the pattern of each class, in the order of class ids.

    Two classes have the same colour and pattern only if there are more than 42.

    Args:
        names: Names of the classes.
    """
    return [
        dict(name=name, colour=HUES[i % len(HUES)], pattern=i // len(HUES) % PATTERNS)
        for i, name in enumerate(names)
    ]


def _module(name: str) -> str:
    """Source of a module without its imports and exports: all modules share one scope."""
    source = (WEB / f'{name}.js').read_text(encoding='utf-8')
    source = re.sub(r"^import [^;]*? from '\./\w+\.js';\n", '', source, flags=re.M)
    return f'\n// ---- {name}.js ----\n' + re.sub(r'^export ', '', source, flags=re.M)
