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

import copy
import importlib.util
import shutil
import sys
from pathlib import Path
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmseg_tsf.demo.data_set import generate
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.crash_states import FOLDER, Recorder, Tree, different
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


def rebuild(tree: Tree, folder: Path) -> None:
    """Makes a folder with the content of a state."""
    folder.mkdir(parents=True)
    for name, content in sorted(tree.items()):
        path = folder / name
        path.mkdir() if content is FOLDER else path.write_bytes(content)


def train(cfg: Config) -> None:
    """A run to its end, in this process."""
    # laying out the config with yapf would take longer than the run
    text = property(lambda own: '\n'.join(f'{key} = {own[key]!r}' for key in own))
    with (
        mock.patch('mmengine.runner.runner.collect_env', return_value={}),
        mock.patch.object(Config, 'pretty_text', text),
    ):
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
    if args.rounds < 1 or (args.limit is not None and args.limit < 1):
        raise UserError('--rounds and --limit must be at least 1')
    if torch.cuda.is_available():
        raise UserError('runs are bit-equal on CPUs only: set CUDA_VISIBLE_DEVICES= (empty)')
    kill_resume.empty(args.work_dir)
    data, iterations = args.work_dir / 'data', 2 * (args.rounds + 1)
    generate(data, num_train=8, num_val=2, num_labelled=3)
    torch.set_num_threads(1)

    folder = args.work_dir / 'run'
    cfg = kill_resume.tiny_config(data, folder)
    cfg.train_cfg.update(max_iters=iterations, rounds=args.rounds, start=args.start)
    cfg.param_scheduler[0].end = iterations if args.start == 'continue' else 2
    states = record(copy.deepcopy(cfg))
    reference = kill_resume.outcome(folder, iterations)
    shutil.rmtree(folder)
    chosen = different(states, args.leftovers)
    total, chosen = len(chosen), chosen[:: -(-len(chosen) // (args.limit or len(chosen)))]
    print(f'{len(states)} states, {total} different ones, {len(chosen)} to resume', flush=True)
    lost = 0
    for i, (kind, count, tree) in enumerate(chosen):
        found = resume(copy.deepcopy(cfg), tree, reference, args.work_dir / 'errors.txt')
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
