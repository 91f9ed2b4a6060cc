"""Damages exports of every annotation tool in random ways and imports them.

    python tests/support/import_fuzzer.py --seconds 60
    python tests/support/import_fuzzer.py --seconds 3600 --seed 7
    python tests/support/import_fuzzer.py --seed 7 --case 1234 --out case

The exports are those that the tools would write of a tiny request; the damages are flipped bits,
cut and repeated pieces, null, NaN, infinity, huge integers, wrong types, repeated ids, nesting
100,000 deep, byte order marks and odd encodings, in JSON, XML, PNG, zip and run lengths. Every
import must end within ten seconds and two gigabytes with values or one clear error: a traceback, a
crash of the interpreter, a hang and a lack of memory are faults. Prints their numbers and those of
their cases; the exit status is 0 if there is no fault, else 1. ``--case`` repeats a case and keeps
its files.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import multiprocessing
import resource
import runpy
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from import_mutations import mutate, pack
from import_samples import Sample, make_request, sample_exports

from mmseg_tsf.active_learning.exchange.request import read_request
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError

LIMIT_SECONDS, LIMIT_BYTES = 10, 2 << 30
IMPORT = Path(__file__).parents[2] / 'tools/active_learning/import_answers.py'
ENDS = ('read', 'refused')


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ToolParser(__doc__).share('--seed')
    parser.add_argument('--seconds', type=float, default=60, help='time to go on for (%(default)s)')
    parser.add_argument('--case', type=int, help='number of the only case to run')
    parser.share('--out', help='folder for the files of --case')
    args = parser.parse_args(argv)
    if args.seconds <= 0:
        parser.error('--seconds must be more than 0')
    if (args.case is None) != (args.out is None):
        parser.error('--case and --out belong together')
    return args


def main(argv: list[str] | None = None) -> dict[str, int]:
    """Entry point; returns how many imports ended how."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        request = make_request(root / 'request')
        fuzzer = Fuzzer(request, sample_exports(read_request(request), root / 'samples'), args.seed)
        if args.case is not None:
            print(f'{args.out}: {fuzzer.run(args.case, args.out)}')
            return {}
        found = fuzz(fuzzer, root, args.seconds)
    faults = {end: count for end, count in found.items() if end not in ENDS}
    print(f'{found["read"]} read, {found["refused"]} refused, {sum(faults.values())} faults')
    for end, count in faults.items():
        print(f'fault ({count} times): {end}')
    if faults:
        sys.exit(1)
    return dict(found)


class Fuzzer:
    """Damages samples and imports them; a case is determined by seed and number.

    Args:
        request: Folder of the request.
        samples: Exports as they come from the tools.
        seed: Seed of the damages.
    """

    def __init__(self, request: Path, samples: list[Sample], seed: int) -> None:
        self.request, self.samples, self.seed = request, samples, seed
        self.take: Callable = runpy.run_path(str(IMPORT))['main']

    def run(self, case: int, folder: Path) -> str:
        """Writes a damaged export and imports it; returns how that ended.

        Raises:
            Exception: The import ended with another error than a ``UserError``.
        """
        rng = Random(f'{self.seed}/{case}')
        sample = rng.choice(self.samples)
        export = pack(mutate(sample.files, rng), folder / 'export', rng)
        shown = io.StringIO()
        arguments = [str(self.request), str(export), '--format', sample.kind, '--check']
        try:
            with contextlib.redirect_stdout(shown):
                self.take(arguments)
            end = 'read'
        except UserError as error:
            shown.write(str(error))
            end = 'refused'
        shown.getvalue().encode()  # as a terminal does
        return end


def fuzz(fuzzer: Fuzzer, root: Path, seconds: float) -> Counter[str]:
    """Runs cases in processes of their own until the time is over; counts how they ended."""
    context, begin = multiprocessing.get_context('fork'), time.monotonic()
    ends: Counter[str] = Counter()
    case = context.Value('q', -1)
    while time.monotonic() - begin < seconds:
        results = root / 'results.txt'
        results.write_text('')
        left = begin + seconds - time.monotonic()
        child = context.Process(target=_work, args=(fuzzer, root, case, results, left))
        child.start()
        child.join()
        ends.update(results.read_text().splitlines())
        if child.exitcode:
            ends[f'the process ended with {child.exitcode} in case {case.value}'] += 1
    return ends


def _work(fuzzer: Fuzzer, root: Path, case, results: Path, seconds: float) -> None:
    """Runs cases after the one that was run last, for some time."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + LIMIT_BYTES,) * 2)
    signal.signal(signal.SIGALRM, _too_slow)
    begin, folder = time.monotonic(), root / 'case'
    with open(results, 'a', buffering=1) as file:
        while time.monotonic() - begin < min(seconds, 30):
            case.value += 1
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            signal.alarm(LIMIT_SECONDS)
            try:
                end = fuzzer.run(case.value, folder)
            except BaseException as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                end = f'{type(error).__name__} at {place.name}:{place.lineno} in case {case.value}'
            signal.alarm(0)
            file.write(f'{end}\n')


def _too_slow(*_: object) -> None:
    raise TimeoutError


def _address_space() -> int:
    """Bytes of address space that this process has now."""
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    return pages * resource.getpagesize()


if __name__ == '__main__':
    run_tool(main)
