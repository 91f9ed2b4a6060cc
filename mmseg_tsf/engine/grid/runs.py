"""The runs of a grid: every config with every seed, each in a folder of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from ...active_learning.store.round_store import RoundStore
from ...reporting.run_reader import is_complete, read_config
from ...utils.errors import UserError
from ...utils.settings import flatten, kind_name, training_settings
from ..loops.stages import stage_boundaries
from ..preflight.config_check import check_weights, load_config

ASKING = ('query', 'first_query', 'selector', 'budget', 'oracle', 'pool')
"""Options of ``train_cfg`` that take effect at the first question and not before."""
OWN = ('work_dir', 'experiment_name', 'randomness', 'resume', 'launcher')
"""Keys of a config that name a run; the seed is compared on its own."""


@dataclass(frozen=True)
class GridRun:
    """One run of a grid.

    Attributes:
        config: Path of the config.
        cfg: The config with the overrides of the command line; the same for all seeds.
        seed: Seed of the run.
        folder: Work dir of the run, ``<grid>/<config>/seed_<n>``.
    """

    config: Path
    cfg: Config
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """Name of the run in messages."""
        return f'{self.config.stem}, seed {self.seed}'

    @property
    def finished(self) -> bool:
        """Whether the run has trained to its end."""
        return is_complete(self.folder)

    @property
    def begun(self) -> bool:
        """Whether the run has a checkpoint or a round of its own, from which it goes on."""
        rounds = self.folder / 'rounds'
        return (self.folder / 'last_checkpoint').exists() or any(rounds.glob('round_*'))


def plan_grid(
    configs: Sequence[Path], seeds: Sequence[int], work_dir: Path, options: dict | None = None
) -> list[GridRun]:
    """Runs of all configs and seeds, the first seed of every config first.

    Args:
        configs: Paths of configs with an ``ActiveLearningLoop``.
        seeds: Seeds of each config.
        work_dir: Folder of the grid.
        options: Overrides of the configs by dotted key.

    Raises:
        UserError: A config cannot be compared, two have one name, or a folder holds a run with
            other settings or one that another process trains.
    """
    loaded = {path: _load(path, options) for path in configs}
    names = [path.stem for path in configs]
    for twice in (name for name in names if names.count(name) > 1):
        raise UserError(f'two configs have the name {twice}: give each config once')
    if len(set(seeds)) < len(seeds):
        raise UserError(f'--seeds {",".join(map(str, seeds))} names a seed twice: give each once')
    runs = [
        GridRun(path, cfg, seed, work_dir / path.stem / f'seed_{seed}')
        for seed in seeds
        for path, cfg in loaded.items()
    ]
    for run in runs:
        _check_folder(run)
    return runs


def first_boundary(cfg: Config) -> int:
    """Iteration of the first question."""
    loop = cfg.train_cfg
    stages, start = loop.get('stages'), loop.get('start', 'continue')
    return stage_boundaries(loop.max_iters, loop.rounds, stages, start)[0]


def hash_first_stage(cfg: Config) -> str:
    """Hash of all settings that can decide the training before the first question.

    Runs with the same hash and seed have the same weights there. These are all settings of the
    config but those of :data:`ASKING` and :data:`OWN`.
    """
    settings = {key: value for key, value in cfg.to_dict().items() if key not in OWN}
    loop = settings['train_cfg']
    settings['train_cfg'] = {key: loop[key] for key in loop if key not in ASKING}
    return hashlib.sha256(json.dumps(flatten(settings), sort_keys=True).encode()).hexdigest()[:8]


def _load(path: Path, options: dict | None) -> Config:
    cfg = load_config(str(path), options)
    check_weights(cfg)
    if kind_name(cfg.train_cfg) != 'ActiveLearningLoop':
        raise UserError(f'{path} has no rounds: its train_cfg.type must be ActiveLearningLoop')
    if cfg.get('val_cfg') is None:
        raise UserError(f'{path} has no val_cfg, and a comparison needs the mIoU of every round')
    first_boundary(cfg)
    return cfg


def _check_folder(run: GridRun) -> None:
    """Checks that what is in the folder of a run was trained with the same settings."""
    RoundStore(run.folder / 'rounds').check_unlocked()
    old = read_config(run.folder, str(run.config))
    if old is None:
        return
    then, now = (flatten(training_settings(cfg)) for cfg in (old, run.cfg))
    changed = sorted(key for key in {**then, **now} if then.get(key) != now.get(key))
    if changed:
        key = changed[0]
        raise UserError(
            f'{run.folder} holds a run with {key}={then.get(key)}, which is {now.get(key)} now: '
            'give another --work-dir, or the former settings'
        )
