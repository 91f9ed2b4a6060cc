"""Annotators who answer in Label Studio."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import mimetypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from ...utils.errors import UserError, some_of
from ...utils.files import sha256, write_file
from ..exchange.annotation_plan import make_plan
from ..exchange.answers import write_answers
from ..exchange.formats.label_studio import (
    build_task,
    labelling_config,
    newest,
    parse_annotation,
)
from ..exchange.label_set import LabelSet
from ..exchange.request import RequestFolder
from ..registry import ORACLES
from ..store.records import SealedRequest
from .base import Pending
from .folder import FolderOracle
from .label_studio_client import LabelStudioClient

TOKEN = 'LABEL_STUDIO_API_KEY'
"""Environment variable with the token, which is never written to disk."""
RECORD = '.label_studio.json'
"""Name of the record of the answers that were written from annotations."""


@ORACLES.register_module()
class LabelStudioOracle(FolderOracle):
    """Creates a Label Studio project for each request and collects the submitted annotations.

    The run stops once the tasks are uploaded; resume it with ``--resume``. Annotations are written
    into the folder that :class:`FolderOracle` reads, so both ways of answering work. The token is
    read from the environment variable ``LABEL_STUDIO_API_KEY``.

    Args:
        url: Address of the server.
        annotation_dir: See :class:`FolderOracle`.
        accept_partial: See :class:`FolderOracle`.
        join: Largest gap, in pixels, between islands that are shown as one region.
        min_pixels: Number of requested pixels below which an island is not shown.

    Raises:
        UserError: There is no token.
    """

    who = 'people in Label Studio'

    def __init__(
        self,
        url: str,
        annotation_dir: str | None = None,
        accept_partial: bool = False,
        join: int = 0,
        min_pixels: int = 1,
    ) -> None:
        super().__init__(annotation_dir, accept_partial)
        if not os.environ.get(TOKEN):
            raise UserError(
                f'LabelStudioOracle needs a token for {url} in the environment variable {TOKEN}: '
                'create one under "Account & Settings" there'
            )
        self.client = LabelStudioClient(url, os.environ[TOKEN])
        self.plan_options = dict(join=join, min_pixels=min_pixels)

    def answer(
        self, request: SealedRequest, predict: Callable[[str], np.ndarray]
    ) -> Iterator[tuple[str, np.ndarray, dict]] | Pending:
        """Uploads the tasks that are not uploaded yet, and reads the submitted annotations.

        Raises:
            UserError: The server cannot be reached, or rejects a call; the request is kept.
            UserError: An annotation does not fit its image.
        """
        found = super().answer(request, predict)  # writes the request folder first
        if not isinstance(found, Pending):
            return found
        folder = RequestFolder(self.round_dir(request))
        labels = LabelSet(folder.classes)
        project = self._project(folder, labels)
        if self._collect(project, folder, labels):
            found = super().answer(request, predict)
        if isinstance(found, Pending):
            return Pending(self._instruction(project, folder))
        return found

    def _project(self, folder: RequestFolder, labels: LabelSet) -> int:
        """Number of the project of a request; uploads the tasks that it lacks."""
        title = f'round {folder.number} ({folder.digest[:12]})'
        project = self.client.find_project(title)
        if project is None:
            text = 'Label inside of the outlines. Labels outside of them are ignored.'
            project = self.client.create_project(title, labelling_config(labels), text)
        uploaded = {task['data'].get('image_id') for task in self.client.tasks(project)}
        for image in folder.asked_images():
            if image.image_id not in uploaded:
                plan = make_plan(image.asked, **self.plan_options)
                task = build_task(image, plan, labels, _as_url(image.file))
                self.client.add_tasks(project, [task])
        return project

    def _collect(self, project: int, folder: RequestFolder, labels: LabelSet) -> bool:
        """Writes the submitted annotations as answers; returns whether there are any.

        Answers that this method has not written, or that were changed since, are people's own
        files: they stay as they are.
        """
        found, own = [], _Written(folder.answers)
        by_hand = [i for i in folder.images if own.is_foreign(i)]
        for task in self.client.tasks(project):
            image_id, annotation = task['data'].get('image_id'), newest(task['annotations'])
            if annotation is None or image_id not in folder.sizes or image_id in by_hand:
                continue
            where = f'{self.client.url}/projects/{project}: {image_id}'
            size = folder.sizes[image_id]
            found.append((image_id, parse_annotation(annotation, labels, size, where)))
        summary = write_answers(
            found, folder, folder.answers, overwrite=True, announce=own.announce
        )
        if summary.broken:
            print_log(
                f'{some_of(summary.damaged)}: broken shapes were skipped '
                f'({some_of(summary.broken)})', 'current', logging.WARNING,
            )  # fmt: skip
        if by_hand:
            print_log(
                f'{len(by_hand)} answers in {folder.answers} were made by hand '
                f'({some_of(by_hand)}): they count, and not what was submitted',
                'current',
            )
        return bool(found)

    def _instruction(self, project: int, folder: RequestFolder) -> str:
        missing = sum(not (folder.answers / f'{i}.png').is_file() for i in folder.images)
        return (
            f'waiting for annotators: {missing} of {len(folder.images)} tasks are not submitted in '
            f'{self.client.url}/projects/{project}; label them there, then start again with '
            '--resume'
        )


class _Written:
    """Answers that were written from annotations, by their digests.

    Args:
        answers: Folder of the answers, which also holds this record as a hidden file.
    """

    def __init__(self, answers: Path) -> None:
        self.answers, self.file = answers, answers / RECORD
        try:
            digests = json.loads(self.file.read_bytes())
        except (OSError, ValueError):
            digests = {}
        self.digests: dict[str, list[str]] = digests if isinstance(digests, dict) else {}

    def is_foreign(self, image_id: str) -> bool:
        """Whether there is an answer that was not written from an annotation as it is now."""
        path = self.answers / f'{image_id}.png'
        return path.is_file() and sha256(path) not in self.digests.get(image_id, [])

    def announce(self, contents: dict[str, bytes]) -> None:
        """Records answers before they are written, so that a crash makes none look foreign."""
        for image_id, content in contents.items():
            digest = hashlib.sha256(content).hexdigest()
            self.digests[image_id] = [*self.digests.get(image_id, []), digest]
        if contents:
            write_file(self.file, json.dumps(self.digests, indent=1).encode())


def _as_url(file: Path) -> str:
    """Image as a data URL, so that the server needs no access to any folder."""
    kind = mimetypes.guess_type(file.name)[0] or 'image/png'
    return f'data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}'
