"""``annotate.html``: a page for any browser, without server or account."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import cv2
import numpy as np

from ...registry import EXCHANGE_FORMATS
from ..label_set import LabelSet
from ..names import tag_of
from ..page import PAGE, PageImage, build_page, read_saved_work
from ..tool_export import ToolExport
from .base import ExchangeFormat, Package, PackedImage, Parse

README = """\
Page:

1. Open annotate.html with a browser (Chrome, Edge, Firefox or Safari, not older than 2023). Keep it
   beside the folder images/; it needs no network.
2. Label one region after the other; "?" shows the keys. The browser keeps your work between visits.
3. Save (Ctrl+S) and send the file back. It is the export.
"""


@EXCHANGE_FORMATS.register_module(name='page')
class PageFormat(ExchangeFormat):
    """One page with all regions; reads the file that it saves."""

    def write_package(self, package: Package) -> str:
        """Writes the page and the images."""
        images = [_page_image(packed) for packed in package.write_images()]
        page = build_page(package.request, package.number, package.labels, images)
        package.writer.add(PAGE, page)
        return README

    def read(self, export: ToolExport, labels: LabelSet) -> Iterator[tuple[str, Parse]]:
        """Reads a saved file; see the base class."""
        name = export.only('.json', 'the file that annotate.html saves')
        where = str(export.path) if export.path.is_file() else f'{export.path}: {name}'
        work = read_saved_work(export.read(name), labels, where)
        tag = tag_of(work.number, work.request)
        for image_id in work.images:
            yield f'{tag}/{image_id}', partial(work.labels, image_id)


def _page_image(packed: PackedImage) -> PageImage:
    image = packed.image
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(packed.content, np.uint8), flags)
    file = f'images/{packed.file_name}'
    return PageImage.make(image.image_id, file, packed.plan, pixels, image.prelabels)
