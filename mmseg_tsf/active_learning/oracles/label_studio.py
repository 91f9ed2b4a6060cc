"""People who answer in Label Studio."""

from __future__ import annotations

import base64
import mimetypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ...utils.errors import UserError
from ..registry import ORACLES
from ..store.round_part import Part
from .base import Pending
from .folder import FolderOracle
from .label_studio_client import LabelStudioClient
from .request_folder import ANSWERS

TOKEN = 'LABEL_STUDIO_API_KEY'
"""Environment variable with the token, which is written nowhere."""


@ORACLES.register_module()
class LabelStudioOracle(FolderOracle):
    """Makes a Label Studio project of each request, and collects what is submitted there.

    The run stops once the tasks are uploaded, and goes on with ``--resume``. What was submitted is
    put where :class:`FolderOracle` reads it, so either way of answering works. The token comes
    from the environment variable ``LABEL_STUDIO_API_KEY``.

    Args:
        url: Of the server.
        folder: See :class:`FolderOracle`.
        accept_partial: Likewise.
        join: Islands with gaps of up to so many pixels are shown as one.
        min_pixels: Islands with fewer asked pixels are not shown.

    Raises:
        UserError: There is no token.
    """

    who = 'people in Label Studio'

    def __init__(
        self,
        url: str,
        folder: str | None = None,
        accept_partial: bool = False,
        join: int = 0,
        min_pixels: int = 1,
    ) -> None:
        super().__init__(folder, accept_partial)
        if not os.environ.get(TOKEN):
            raise UserError(
                f'LabelStudioOracle needs a token of {url} in the environment variable {TOKEN}: '
                'make one under "Account & Settings" there'
            )
        self.client = LabelStudioClient(url, os.environ[TOKEN])
        self.plan_options = dict(join=join, min_pixels=min_pixels)

    def answer(
        self, number: int, request: Part, predict: Callable[[str], np.ndarray]
    ) -> Iterator[tuple[str, np.ndarray, dict]] | Pending:
        """Uploads what is not uploaded yet, and reads what is submitted.

        Raises:
            UserError: The server can not be reached or refuses; the request is kept.
            UserError: An annotation does not fit its image; names both.
        """
        found = super().answer(number, request, predict)  # writes the folder first
        if not isinstance(found, Pending):
            return found
        path = self.folder / f'round_{number:03d}'
        project = self._project(number, path)
        if not self._collect(project, path):
            return Pending(self._what_to_do(project, path, request))
        found = super().answer(number, request, predict)
        if isinstance(found, Pending):
            return Pending(self._what_to_do(project, path, request))
        return found

    def _project(self, number: int, path: Path) -> int:
        """The project of a request with all its tasks; goes on where a killed run stopped."""
        # loaded late: exchange formats read the folders of this package
        from ..exchange.annotation_plan import make_plan
        from ..exchange.formats.label_studio import build_task, labelling_config
        from ..exchange.label_set import LabelSet
        from ..exchange.request import read_request

        asked = read_request(path)
        labels = LabelSet(asked.classes)
        title = f'round {number} ({asked.digest[:12]})'
        project = self.client.find_project(title)
        if project is None:
            text = 'Label inside of the outlines. Outside of them nothing is read.'
            project = self.client.create_project(title, labelling_config(labels), text)
        there = {task['data'].get('image_id') for task in self.client.tasks(project)}
        for image in asked.images():
            if image.image_id not in there:
                plan = make_plan(image.asked, **self.plan_options)
                task = build_task(image, plan, labels, _as_url(image.file))
                self.client.add_tasks(project, [task])
        return project

    def _collect(self, project: int, path: Path) -> bool:
        """Writes what was submitted into the folder of answers; whether there is any."""
        from ..exchange.answers import write_answers
        from ..exchange.formats.label_studio import newest, parse_annotation
        from ..exchange.label_set import LabelSet
        from ..exchange.request import read_request

        asked = read_request(path)
        labels, found = LabelSet(asked.classes), []
        for task in self.client.tasks(project):
            image_id, annotation = task['data'].get('image_id'), newest(task['annotations'])
            if annotation is not None and image_id in asked.sizes:
                where = f'{self.client.url}/projects/{project}: {image_id}'
                answer = parse_annotation(annotation, labels, asked.sizes[image_id], where)
                found.append((image_id, answer))
        write_answers(found, asked, path / ANSWERS, overwrite=True)
        return bool(found)

    def _what_to_do(self, project: int, path: Path, request: Part) -> str:
        missing = sum(not (path / ANSWERS / f'{i}.png').is_file() for i in request.images)
        return (
            f'people are asked: {missing} of {len(request.images)} tasks are not submitted in '
            f'{self.client.url}/projects/{project}; label them there, then start again with '
            '--resume'
        )


def _as_url(file: Path) -> str:
    """The image itself as an address, so that the server needs no access to any folder."""
    kind = mimetypes.guess_type(file.name)[0] or 'image/png'
    return f'data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}'
