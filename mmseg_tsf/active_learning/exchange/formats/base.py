"""Interface of an exchange format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....utils.files import FolderWriter
from ..annotation_plan import AnnotationPlan
from ..answers import ImageLabels
from ..label_set import LabelSet
from ..request import AskedImage, RequestFolder
from ..tool_export import ToolExport


@dataclass
class PackedImage:
    """One image of a package.

    Attributes:
        image: Image with its request and predictions.
        plan: Regions and points to show.
        file_name: Name of the image file in the package.
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
        request: Digest of the request.
        labels: Labels to choose from.
        images: Images in the order of their ids; can be iterated once.
    """

    writer: FolderWriter
    name: str
    number: int
    request: str
    labels: LabelSet
    images: Iterable[PackedImage]

    def write_images(self) -> Iterator[PackedImage]:
        """Writes each image file into ``images/`` and passes the image on."""
        for packed in self.images:
            self.writer.add(f'images/{packed.file_name}', packed.content)
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
    def read(
        self, export: ToolExport, request: RequestFolder, labels: LabelSet
    ) -> Iterator[tuple[str | None, ImageLabels | None]]:
        """Reads the labels in an export.

        Args:
            export: Files that the tool has written.
            request: Request to which they answer; ``request.match`` finds the id of an image.
            labels: Labels that people could choose from.

        Yields:
            tuple: Id and labels of each image; ``(None, None)`` for one that was not requested.

        Raises:
            UserError: The export has another format, or does not fit the request.
        """
