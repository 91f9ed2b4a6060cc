"""Training before the first question, done once for all runs that it is the same for."""

from __future__ import annotations

import json
import os.path as osp
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...reporting.run_reader import read_json
from ...utils.files import aside, move_into_place, write_file
from ..loops.checkpoints import LAST
from ..run_info import FILE_NAME
from .runs import GridRun, first_boundary, hash_first_stage

FOLDER = 'first_stages'
OF_ITS_END = ('finished_iters', 'peak_memory_mib')
"""What a record holds of the end of its run."""


@dataclass(frozen=True)
class FirstStage:
    """The training before the first question.

    Attributes:
        folder: Its work dir, ``<grid>/first_stages/<hash of its settings>/seed_<n>``.
        runs: Runs that begin with it; the first one lends it its config.
    """

    folder: Path
    runs: tuple[GridRun, ...]

    @property
    def name(self) -> str:
        """Name in messages."""
        run, others = self.runs[0], len(self.runs) - 1
        return f'first stage of {run.config.stem} and {others} more, seed {run.seed}'

    @property
    def end(self) -> int:
        """Its last iteration."""
        return first_boundary(self.runs[0].cfg)

    @property
    def checkpoint(self) -> Path:
        """Checkpoint of its end."""
        return self.folder / f'iter_{self.end}.pth'

    @property
    def finished(self) -> bool:
        """Whether it was trained to its end."""
        path = self.folder / FILE_NAME
        record = read_json(path, 'delete its folder to train it anew') if path.exists() else {}
        return record.get('finished_iters') == self.end and self.checkpoint.exists()


def share_first_stages(runs: Iterable[GridRun], work_dir: Path) -> list[FirstStage]:
    """First stages that several runs have in common and have yet to train.

    A stage that one run alone has yet to train is shared if it is there already.

    Args:
        runs: Runs of a grid.
        work_dir: Folder of the grid.
    """
    found: dict[tuple, list[GridRun]] = defaultdict(list)
    for run in runs:
        if not run.begun and first_boundary(run.cfg):
            found[hash_first_stage(run.cfg), run.seed].append(run)
    stages = [
        FirstStage(work_dir / FOLDER / key / f'seed_{seed}', tuple(members))
        for (key, seed), members in found.items()
    ]
    return [stage for stage in stages if len(stage.runs) > 1 or stage.finished]


def adopt(stage: FirstStage, run: GridRun) -> None:
    """Puts the end of a first stage into the folder of a run, which goes on from there.

    The record of the run is that of the stage with the run's own config, and names the stage in
    ``first_stage``. ``last_checkpoint`` is written last: where the copy is cut off, it is made
    again.

    Raises:
        StoreError: The disk rejects a write.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    for path in (stage.checkpoint, stage.folder / 'initial.pth'):
        if path.exists():  # initial.pth is of stages that start afresh
            _copy(path, run.folder / path.name)
    for logs in (path.parent for path in stage.folder.glob('*/vis_data')):
        shutil.copytree(logs, run.folder / logs.name, dirs_exist_ok=True)
    log = 'active_learning.jsonl'
    write_file(run.folder / log, (stage.folder / log).read_bytes())
    old = read_json(stage.folder / FILE_NAME, 'delete the folder to train the stage anew')
    record = {key: value for key, value in old.items() if key not in OF_ITS_END}
    record['config'] = osp.relpath(run.config)
    record['first_stage'] = dict(
        folder=str(stage.folder), iters=stage.end, config=old['config'], commit=old['commit']
    )
    write_file(run.folder / FILE_NAME, (json.dumps(record, indent=2) + '\n').encode())
    last = osp.abspath(run.folder / stage.checkpoint.name)
    write_file(run.folder / LAST, last.encode())


def _copy(source: Path, target: Path) -> None:
    temporary = aside(target)
    shutil.copyfile(source, temporary)
    move_into_place(temporary, target)
