"""Interface of an exchange format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ....utils.files import FolderWriter
from ..annotation_plan import AnnotationPlan
from ..answers import ImageLabels
from ..label_set import LabelSet
from ..request import AskedImage
from ..tool_export import ToolExport

Parse = Callable[[tuple[int, int]], ImageLabels]
"""Function that reads the labels of one image, given the height and width that they must have."""


@dataclass
class PackedImage:
    """One image of a package.

    Attributes:
        image: Image with its request and predictions.
        plan: Regions and points to show.
        file_name: Name of the image file below the folder of the images.
        content: Content of that file.
    """

    image: AskedImage
    plan: AnnotationPlan
    file_name: str
    content: bytes


@dataclass
class Package:
    """Folder that takes a request to an annotation tool, while it is being written.

    Attributes:
        writer: Writer of the folder.
        name: Name of the folder.
        number: Number of the round.
        tag: Folder that stands for the request in names of images, by which an export that keeps
            them names its request.
        request: Digest of the request.
        labels: Labels to choose from.
        images: Images in the order of their ids; can be iterated once.
    """

    writer: FolderWriter
    name: str
    number: int
    tag: str
    request: str
    labels: LabelSet
    images: Iterable[PackedImage]

    def write_images(self, folder: str = '') -> Iterator[PackedImage]:
        """Writes each image file into ``images/`` and passes the image on.

        Args:
            folder: Folder in ``images/``, such as ``tag``.
        """
        for packed in self.images:
            name = PurePosixPath('images', folder, packed.file_name)
            self.writer.add(str(name), packed.content)
            yield packed


class ExchangeFormat(ABC):
    """Hands a request to an annotation tool and reads what the tool exports.

    A subclass registers under the name that ``--format`` takes. Previews, the manifest and the
    frame of ``README.txt`` are written for every format by ``export_request``; which of the labels
    count as an answer is decided for every format by ``write_answers``.
    """

    @abstractmethod
    def write_package(self, package: Package) -> str:
        """Writes the files that the tool imports.

        Returns:
            str: Instructions for the annotators, a section of ``README.txt``.
        """

    @abstractmethod
    def read(self, export: ToolExport, labels: LabelSet) -> Iterable[tuple[str, Parse | None]]:
        """Reads the labels in an export.

        Args:
            export: Files that the tool has written.
            labels: Labels that people could choose from.

        Yields:
            tuple: Name of each image in the export, and the function that reads its labels, or
            ``None`` for a file without labels. To which requested image a name belongs is found
            for every format by ``match_names``.

        Raises:
            UserError: The export has another format. The functions raise it for an image that
                cannot be read; a single broken shape is left out, see ``ImageLabels.shape``.
        """
