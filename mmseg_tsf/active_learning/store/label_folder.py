"""Folder of the labels that the training reads, changed file by file when rounds are answered."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ...utils.errors import explain_disk_errors
from ...utils.files import FolderWriter, aside, is_leftover, remove, write_file
from .answer_index import AnswerIndex
from .label_png import encode_labels
from .sealed_json import from_sealed_json, to_sealed_json

MANIFEST, NEXT = 'manifest.json', 'next.json'
_REMEDY = 'the next start of the run makes it again from the rounds'
Entries = dict[str, tuple[str, str]]
"""Sources of the labels of each image (see ``AnswerIndex.sources``), and SHA-256 of its file."""


class LabelFolder:
    """A PNG for every image with an answer, and a manifest of what each was made from.

    An update writes the files that change beside the others, then the coming manifest as
    ``next.json``, then moves the files to their places one by one, and ``next.json`` to
    ``manifest.json`` last. A process that is killed meanwhile leaves files that fit one of both
    manifests, and the next update goes on from there. Whatever fits none is made again, so the
    PNGs are not synced to the disk.

    Args:
        path: Path of the folder; everything in it can be made again from the rounds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[int, Entries] | None = None  # what this process checked or wrote

    def update(self, number: int, index: AnswerIndex) -> None:
        """Writes the labels that differ from those wanted; removes what does not belong there.

        Every file is read once per process, to find damaged ones.

        Args:
            number: Number of the last round whose answer is wanted.
            index: Answers up to that round.

        Raises:
            StoreError: A record cannot be read, or the disk rejects a write.
        """
        wanted = index.sources()
        with explain_disk_errors(self.path):
            stored, entries = self._intact()
            stale = [i for i, source in wanted.items() if entries.get(i, ('',))[0] != source]
            gone = [i for i in entries if i not in wanted]
            if stale or gone or stored != number:
                self._known = None
                for image_id in gone:
                    del entries[image_id]
                self._change(number, index, wanted, entries, stale, gone)
        self._known = number, entries

    def problems(self, sources: Callable[[int], dict[str, str] | None]) -> list[str]:
        """Missing, altered and foreign files and manifests, one sentence each.

        Args:
            sources: Function that returns ``AnswerIndex.sources`` after the answer of a round;
                ``None`` for a round without one.

        Raises:
            StoreError: A record of the rounds cannot be read.
        """
        if not self.path.is_dir():
            return []
        present = [name for name in (MANIFEST, NEXT) if (self.path / name).exists()]
        nothing = present or not self._files()
        found = [] if nothing else [f'{self.path / MANIFEST} is missing: {_REMEDY}']
        manifests = []
        for name in present:
            own = self._read(name)
            if own is None:
                found.append(f'{self.path / name} was altered: {_REMEDY}')
                continue
            manifests.append(own)
            if not _belongs(own['images'], sources(own['round'])):
                found.append(f'{self.path} does not belong to its rounds: {_REMEDY}')
        return found + self._damage(manifests, NEXT in present) + self._foreign(manifests)

    def _change(
        self,
        number: int,
        index: AnswerIndex,
        wanted: dict[str, str],
        entries: Entries,
        stale: list[str],
        gone: list[str],
    ) -> None:
        """Writes the stale files, removes those that are gone, and adds to the entries."""
        temporary = aside(self.path / 'next')
        try:
            writer = FolderWriter(temporary, synced=False)
            for image_id in stale:
                name = f'{image_id}.png'
                writer.add(name, encode_labels(index.manual(image_id)))
                entries[image_id] = wanted[image_id], writer.files[name]
            write_file(self.path / NEXT, to_sealed_json(dict(round=number, images=entries)))
            for name in writer.files:
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(temporary / name, self.path / name)
            for image_id in gone:
                (self.path / f'{image_id}.png').unlink(missing_ok=True)
            os.replace(self.path / NEXT, self.path / MANIFEST)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _intact(self) -> tuple[int, Entries]:
        """Round and entries of intact files; all other files are removed, once per process.

        The round is -1 where the folder does not stand for any one round.
        """
        if self._known is not None and (self.path / MANIFEST).is_file():
            return self._known[0], dict(self._known[1])
        manifests = [self._read(name) for name in (MANIFEST, NEXT)]
        whole = [own for own in manifests if own is not None]
        if not whole:
            if self.path.exists():
                remove(self.path)
            return -1, {}
        intact: Entries = {}
        for image_id in dict.fromkeys(image_id for own in whole for image_id in own['images']):
            digest = self._digest(image_id)
            for source, expected in _entries_of(image_id, whole):
                if digest == expected:
                    intact[image_id] = source, expected
        names = {f'{image_id}.png' for image_id in intact}
        for name in set(self._files()) - names:
            remove(self.path / name)
        changing = (self.path / NEXT).exists() or manifests[0] is None
        return -1 if changing else manifests[0]['round'], intact

    def _damage(self, manifests: list[dict], changing: bool) -> list[str]:
        """Files that fit no manifest; while the folder is being changed a file may be missing."""
        found = []
        for image_id in dict.fromkeys(image_id for own in manifests for image_id in own['images']):
            digest, entries = self._digest(image_id), _entries_of(image_id, manifests)
            path = self.path / f'{image_id}.png'
            if digest is None and not (changing and len(entries) < 2):
                found.append(f'{path} is missing: {_REMEDY}')
            elif digest is not None and digest not in {expected for _, expected in entries}:
                found.append(f'{path} was altered: {_REMEDY}')
        return found

    def _foreign(self, manifests: list[dict]) -> list[str]:
        known = {f'{image_id}.png' for own in manifests for image_id in own['images']}
        names = sorted(set(self._files()) - known)
        return [f'{self.path / name} is foreign' for name in names]

    def _files(self) -> list[str]:
        """Relative paths of all files but the manifests and what a killed process left."""
        found = []
        for folder, names, files in os.walk(self.path):
            names[:] = [name for name in names if not is_leftover(Path(name))]
            below = Path(folder).relative_to(self.path)
            found += [(below / name).as_posix() for name in files if not is_leftover(Path(name))]
        return [name for name in found if name not in (MANIFEST, NEXT)]

    def _digest(self, image_id: str) -> str | None:
        """SHA-256 of the file of an image; ``None`` if it is missing."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return hashlib.sha256((self.path / f'{image_id}.png').read_bytes()).hexdigest()
        return None

    def _read(self, name: str) -> dict | None:
        """Content of a manifest; ``None`` if it is missing or altered."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return from_sealed_json((self.path / name).read_bytes())
        return None


def _entries_of(image_id: str, manifests: list[dict]) -> list[tuple[str, str]]:
    return [own['images'][image_id] for own in manifests if image_id in own['images']]


def _belongs(images: Entries, sources: dict[str, str] | None) -> bool:
    """Whether entries follow from the answers; amendments since then may be missing in them."""
    return (
        sources is not None
        and images.keys() == sources.keys()
        and all(sources[image_id].startswith(own) for image_id, (own, _) in images.items())
    )
