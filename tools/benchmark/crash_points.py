"""Resumes a tiny run from every state that a crash can leave on its disk; compares the outcomes.

    python tools/benchmark/crash_points.py
    python tools/benchmark/crash_points.py --rounds 3 --start fresh --leftovers

A run of active learning with the simulated annotator is recorded once, before and after everything
that changes a file or folder. Its disk is then rebuilt as it would be

- after SIGKILL: with all that was written;
- after a torn write: with half of what was written last;
- after a power cut: with what was synced and nothing else, or with the names of now and zeros, or
  nothing, in every file that was not synced.

Each different state is resumed. The resumed run must end with the same requests and labels, the
same spending, bit-equal weights and a store without missing or foreign files, and must not have
touched a request or answer that was there. States that differ only in the content of half written
temporary files, which a run deletes unread, count as one without ``--leftovers``. Prints ``N
survived, 0 lost``; the exit status is 0 if no state is lost, else 1.
"""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import importlib.util
import io
import itertools
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmseg_tsf.demo.data_set import generate
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.files import is_leftover
from mmseg_tsf.utils.processes import run_forked


def _load_kill_resume():
    path = Path(__file__).with_name('kill_resume.py')
    spec = importlib.util.spec_from_file_location('kill_resume', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kill_resume = _load_kill_resume()
UNREAD = re.compile(r'\d{8}_\d{6}(/|$)|\d{8}_\d{6}\.py$')
"""Logs and dumped configs in the folder of a run, which no resume reads."""
FOLDER = None
"""What a state holds for a folder, in place of a content."""
Tree = dict[str, bytes | None]


class Seen(NamedTuple):
    """The disk at one moment.

    Attributes:
        names: Numbers of the entries of each folder, by the number of the folder and name.
        contents: Content of each file by its number.
    """

    names: dict[int, dict[str, int]]
    contents: dict[int, bytes]

    def tree(self, contents: Callable[[int], bytes], names: dict | None = None) -> Tree:
        """Files and folders by path, with the content that a function of their number returns."""
        names, found = self.names if names is None else names, {}

        def walk(folder: int, prefix: str) -> None:
            for name, number in names.get(folder, {}).items():
                if number in self.names:
                    found[prefix + name] = FOLDER
                    walk(number, f'{prefix}{name}/')
                else:
                    found[prefix + name] = contents(number)

        walk(0, '')
        return found


class Recorder:
    """States in which a crash could leave a folder while a program changes it.

    Args:
        root: The folder.

    Attributes:
        states: Kind of crash, number of the operation and content of the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.states, self.count = Path(root), [], 0
        self._numbers: dict[int, int] = {self.root.stat().st_ino: 0}
        self._next = itertools.count(1)
        self._synced: dict[int, bytes] = {}  # contents of files
        self._durable: dict[int, dict[str, int]] = {}  # entries of folders
        self._read_before: dict[int, tuple] = {}
        self._seen = self._look()

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Context in which the states are recorded."""
        changing = ('replace', 'rename', 'unlink', 'remove', 'mkdir', 'rmdir', 'truncate', 'open')
        with contextlib.ExitStack() as stack:
            for name in (*changing, 'ftruncate', 'link', 'symlink'):
                stack.enter_context(mock.patch.object(os, name, self._around(getattr(os, name))))
            for owner in (builtins, io):
                stack.enter_context(mock.patch.object(owner, 'open', self._around(open)))
            stack.enter_context(mock.patch.object(os, 'fsync', self._sync(os.fsync)))
            yield
        self.note()

    def _around(self, function: Callable) -> Callable:
        def wrapped(*args, **kwargs):
            self.note()
            result = function(*args, **kwargs)
            self.note()
            return result

        return wrapped

    def _sync(self, fsync: Callable) -> Callable:
        def wrapped(descriptor: int) -> None:
            self.note()
            fsync(descriptor)
            info = os.fstat(descriptor)
            number = self._numbers.get(info.st_ino)
            if number is not None and stat.S_ISDIR(info.st_mode):
                self._durable[number] = dict(self._seen.names[number])
            elif number is not None:
                self._synced[number] = self._seen.contents[number]
            self.note(force=True)

        return wrapped

    def note(self, force: bool = False) -> None:
        """Adds the states of this moment if the folder has changed."""
        before, self._seen = self._seen, self._look()
        if self._seen == before and not force:
            return
        self.count += 1
        seen, synced = self._seen, self._synced
        self._add('killed', seen.tree(seen.contents.__getitem__))
        for number, content in seen.contents.items():
            old = before.contents.get(number, b'')
            if content != old and len(content) > 1:
                kept = len(old) if content.startswith(old) else 0
                torn = {**seen.contents, number: content[: (kept + len(content)) // 2]}
                self._add('torn write', seen.tree(torn.__getitem__))
        self._add('power cut', seen.tree(lambda n: synced.get(n, b''), self._durable))
        for lost in (lambda n: bytes(len(seen.contents[n])), lambda n: b''):
            of_now = seen.tree(lambda n, lost=lost: synced[n] if n in synced else lost(n))
            self._add('power cut after the names', of_now)

    def _add(self, kind: str, tree: Tree) -> None:
        self.states.append((kind, self.count, tree))

    def _look(self) -> Seen:
        """Reads the folder; files keep their numbers when they are renamed."""
        seen, alive = Seen({}, {}), {self.root.stat().st_ino: 0}

        def number(entry: os.DirEntry) -> int:
            inode = entry.inode()
            alive[inode] = self._numbers.get(inode) or next(self._next)
            self._numbers[inode] = alive[inode]
            return alive[inode]

        def walk(folder: Path, own: int) -> None:
            entries = [
                e for e in os.scandir(folder) if not UNREAD.match(os.path.relpath(e, self.root))
            ]
            seen.names[own] = {entry.name: number(entry) for entry in entries}
            for entry in entries:
                if entry.is_dir():
                    walk(Path(entry.path), alive[entry.inode()])
                else:
                    own_number = alive[entry.inode()]
                    seen.contents[own_number] = self._read(entry, own_number)

        walk(self.root, 0)
        self._numbers = alive
        return seen

    def _read(self, entry: os.DirEntry, number: int) -> bytes:
        """Content of a file, read again only if its size or time has changed."""
        info = entry.stat()
        mark = info.st_size, info.st_mtime_ns
        if self._read_before.get(number, (None,))[0] != mark:
            descriptor = _OPEN(entry.path, os.O_RDONLY)
            try:
                self._read_before[number] = mark, os.read(descriptor, info.st_size + 1)
            finally:
                os.close(descriptor)
        return self._read_before[number][1]


_OPEN = os.open


def different(
    states: Iterable[tuple[str, int, Tree]], leftovers: bool = False
) -> list[tuple[str, int, Tree]]:
    """The first of each group of equal states.

    Args:
        states: See :class:`Recorder`.
        leftovers: Whether the content of half written temporary files counts.
    """
    states, found, digests = list(states), {}, {}

    def digest(content: bytes) -> str:
        if id(content) not in digests:  # all contents are alive as long as the states
            digests[id(content)] = hashlib.sha256(content).hexdigest()
        return digests[id(content)]

    for state in states:
        found.setdefault(_key(state[2], leftovers, digest), state)
    return list(found.values())


def _key(tree: Tree, leftovers: bool, digest: Callable[[bytes], str]) -> str:
    lines = set()
    for name, content in tree.items():
        parts = [re.sub(r'^(\..+)\.[0-9a-f]{32}$', r'\1', part) for part in name.split('/')]
        if not leftovers and parts != name.split('/'):
            changed = [a != b for a, b in zip(parts, name.split('/'), strict=True)].index(True)
            lines.add('/'.join(parts[: changed + 1]))
            continue
        lines.add(f'{"/".join(parts)} {"folder" if content is FOLDER else digest(content)}')
    return '\n'.join(sorted(lines))


def rebuild(tree: Tree, folder: Path) -> None:
    """Makes a folder with the content of a state."""
    folder.mkdir(parents=True)
    for name, content in sorted(tree.items()):
        path = folder / name
        path.mkdir() if content is FOLDER else path.write_bytes(content)


def train(cfg: Config) -> None:
    """A run to its end, in this process."""
    with mock.patch('mmengine.runner.runner.collect_env', return_value={}):
        Runner.from_cfg(cfg).train()


def record(cfg: Config) -> list[tuple[str, int, Tree]]:
    """Trains a run in a new work dir and returns the states of :class:`Recorder`."""
    Path(cfg.work_dir).mkdir(parents=True)
    recorder = Recorder(Path(cfg.work_dir))
    with recorder.watch():
        train(cfg)
    return recorder.states


def resume(cfg: Config, tree: Tree, reference: dict, errors: Path) -> list[str]:
    """Resumes a state of a run in its work dir; returns what is wrong with the outcome.

    Args:
        cfg: Config of the run with its former work dir, which must not exist any more.
        tree: The state.
        reference: Outcome of a run that nothing has happened to.
        errors: File for what the run says.
    """
    folder, cfg.resume = Path(cfg.work_dir), True
    rebuild(tree, folder)
    bought = {
        path: path.read_bytes()
        for part in ('request', 'answer')
        for path in folder.glob(f'rounds/round_*/{part}/**/*')
        if path.is_file()
    }
    errors.unlink(missing_ok=True)
    if run_forked(lambda _: run_tool(lambda: train(cfg)), stderr=errors) != [0]:
        return [f'it failed: {(errors.read_text().strip().splitlines() or [""])[-1]}']
    found = kill_resume.differences(reference, kill_resume.outcome(folder, cfg.train_cfg.max_iters))
    found += [
        f'{path} was changed'
        for path, content in bought.items()
        if not path.is_file() or path.read_bytes() != content
    ]
    return found + [f'{path} is left' for path in folder.rglob('*') if is_leftover(path)]


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the number of lost states."""
    parser = ToolParser(__doc__)
    parser.add_argument('--rounds', type=int, default=1, help='rounds of the run (%(default)s)')
    parser.add_argument(
        '--start', choices=('continue', 'fresh'), default='continue', help='train_cfg.start'
    )
    parser.add_argument(
        '--leftovers', action='store_true', help='tell half written temporary files apart'
    )
    parser.add_argument('--limit', type=int, help='resume so many states, evenly spread (all)')
    parser.share(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/crash_points'),
        help='folder for the runs; runs of an earlier call are deleted (%(default)s)',
    )
    args = parser.parse_args(argv)
    if args.rounds < 1 or (args.limit or 1) < 1:
        raise UserError('--rounds and --limit must be at least 1')
    if torch.cuda.is_available():
        raise UserError('runs are bit-equal on CPUs only: set CUDA_VISIBLE_DEVICES= (empty)')
    kill_resume.empty(args.work_dir)
    data, iterations = args.work_dir / 'data', 2 * (args.rounds + 1)
    generate(data, num_train=8, num_val=2, num_labelled=3)
    torch.set_num_threads(1)

    folder = args.work_dir / 'run'

    def make_cfg() -> Config:
        cfg = kill_resume.tiny_config(data, folder)
        cfg.train_cfg.update(max_iters=iterations, rounds=args.rounds, start=args.start)
        cfg.param_scheduler[0].end = iterations if args.start == 'continue' else 2
        return cfg

    states = record(make_cfg())
    reference = kill_resume.outcome(folder, iterations)
    shutil.rmtree(folder)
    chosen = different(states, args.leftovers)
    total, chosen = len(chosen), chosen[:: -(-len(chosen) // (args.limit or len(chosen)))]
    print(f'{len(states)} states, {total} different ones, {len(chosen)} to resume', flush=True)
    lost = 0
    for i, (kind, count, tree) in enumerate(chosen):
        found = resume(make_cfg(), tree, reference, args.work_dir / 'errors.txt')
        lost += bool(found)
        if found:
            print(f'state_{i} ({kind} at operation {count}): {found}', flush=True)
            folder.rename(args.work_dir / f'state_{i}')
        else:
            shutil.rmtree(folder)
    print(f'{len(chosen) - lost} survived, {lost} lost')
    return lost


if __name__ == '__main__':
    run_tool(lambda: sys.exit(bool(main())))
