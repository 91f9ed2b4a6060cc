"""Times the pass over a pool against bare prediction, and measures the memory of the selection.

    OMP_NUM_THREADS=1 python tools/benchmark/pool_pass.py --json pool.json

1. On generated photographs of a driving camera's size, three things take turns in one process:

   * ``query``: the whole query (load, score, select) by each strategy;
   * ``predict``: the network's own ``predict`` on the same images from an equal loader, which
     ends in class maps as large as the images;
   * ``forward``: the same without upsampling and class maps, the least that any pass needs.

2. Selections from simulated pools of 100, 10,000 and 1,000,000 images of random scores, each in a
   fresh process: seconds, and peak of the resident memory. With ``--joint 100000`` also choices of
   whole images that depend on each other: 1000 by ClaSP and ForegroundRandom, 150 by core-set
   among embeddings of 256 numbers.

The ratio is time of ``predict`` by time of ``query``: above 1 the query is faster.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os.path as osp
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from PIL import Image
from torch.utils.data import DataLoader

import mmseg_tsf  # noqa: F401  (registers everything before the model is built)
from mmseg_tsf.active_learning.pool.outputs import ScoredImage, cell_centres
from mmseg_tsf.active_learning.pool.pool import Pool, PoolImage
from mmseg_tsf.active_learning.pool.pool_pass import score_pool
from mmseg_tsf.active_learning.pool.reader import PoolReader, batches_of_one_size
from mmseg_tsf.active_learning.selection.selection import choose, choose_jointly, select
from mmseg_tsf.active_learning.selection.selectors.images import ImageSelector
from mmseg_tsf.active_learning.selection.selectors.pixels import PixelSelector
from mmseg_tsf.active_learning.strategies import (
    ClaSPQuery,
    CoreSetQuery,
    DEALQuery,
    EntropyQuery,
    ForegroundRandomQuery,
    LeastConfidenceQuery,
    PixelPickQuery,
    PLARQuery,
    QBCQuery,
    QueryContext,
    RIPUQuery,
    S4ALQuery,
    SeedQuery,
)
from mmseg_tsf.engine.run_info import commit
from mmseg_tsf.models import DifficultyBranch
from mmseg_tsf.models.segmentors.semi_base import SemiSegmentor
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.timing import ratio, show_result, take_turns

STRATEGIES = dict(
    entropy=EntropyQuery(),
    plar=PLARQuery(),
    seed=SeedQuery(),
    pixel_pick=PixelPickQuery(),
    ripu=RIPUQuery(),
    deal=DEALQuery(),
    clasp=ClaSPQuery(),
    foreground_random=ForegroundRandomQuery(),
    core_set=CoreSetQuery(),  # whole images
    s4al=S4ALQuery(),  # three scales, 5.25 times the pixels
    qbc=QBCQuery(passes=10),  # eleven passes
)
NETWORK = osp.join(
    osp.dirname(osp.abspath(__file__)),
    '../../configs/_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
)
SIMULATED = (8, 8)  # grid of a simulated image
BUDGET = 1000  # pixels requested from each simulated pool
SHARE, FLAGGED = 0.01, 0.2  # shares of requested pixels and of cells in the error mask
BLOCK = 8  # side of a requested block in pixels


def make_pool(folder: str, number: int, size: tuple[int, int]) -> Pool:
    """Writes photographs of coarse colours with noise."""
    rng = np.random.default_rng(0)
    for i in range(number):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
        pixels = np.asarray(coarse.resize(size[::-1], Image.Resampling.BILINEAR), np.int16)
        pixels = pixels + rng.integers(-12, 13, pixels.shape)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(f'{folder}/{i:04d}.jpg')
    cfg = dict(
        type='BaseSegDataset',
        data_prefix=dict(img_path=folder),
        img_suffix='.jpg',
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackSegInputs')],
    )
    return Pool(DATASETS.build(cfg))


class EarlierLabels:
    """Blocks that people have labelled at random, as :class:`KnownLabels` of a pool."""

    def __init__(self, size: tuple[int, int], share: float, classes: int) -> None:
        self.size, self.share, self.classes = size, share, classes

    def index(self) -> EarlierLabels:
        """The same; there are no rounds to list."""
        return self

    def asked(self, image_id: str) -> None:
        """None may not be asked again: the query has as much to choose from as ever."""
        return None

    def manual(self, image_id: str) -> np.ndarray:
        """``(H, W)`` uint8 class ids, 255 elsewhere."""
        rng = np.random.default_rng(int(image_id))
        grid = tuple(-(-side // BLOCK) for side in self.size)
        labels = rng.integers(self.classes, size=grid).astype(np.uint8)
        labels = np.where(rng.random(grid) < self.share, labels, np.uint8(255))
        labels = labels.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
        return np.ascontiguousarray(labels[: self.size[0], : self.size[1]])


def make_model(classes: int, device: str) -> SemiSegmentor:
    """DeepLabV3+ on MobileNetV2 with error head and refiner, untrained."""
    segmentor = Config.fromfile(NETWORK).model.segmentor
    segmentor.decode_head.num_classes = classes
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='MeanTeacher',
            weight=1.0,
            segmentor=segmentor,
            error_head=dict(type='ErrorMaskDecoder'),
            refiner=dict(type='PseudoLabelAutoRefinement'),
        )
    )
    model.attach('difficulty', DifficultyBranch(classes, size=(60, 80)), network='student')
    return model.to(device).eval()


def context_of(model: SemiSegmentor, pool: Pool, folder: str) -> QueryContext:
    """What a strategy knows before its pass: the first of two rounds."""
    return QueryContext(model, pool, None, 0, 2, 0, Path(folder), lambda: np.ones(1))


def flag(model: SemiSegmentor, pool: Pool, share: float) -> None:
    """Sets the error mask to a share of the cells; the untrained error head flags none."""
    scored = score_pool(model, pool, LeastConfidenceQuery())
    doubts = np.concatenate([image.scores.ravel() for image in scored]).astype(np.float64)
    model.refinement.min_confidence = 1 - float(np.quantile(doubts, 1 - share))
    model.refinement.error_head.threshold = 1.0


@torch.no_grad()
def run_network(model: SemiSegmentor, pool: Pool, mode: str, batch_size: int, num_workers: int):
    """The network alone on all images: ``mode`` is 'predict' or 'tensor'."""
    loader = DataLoader(
        PoolReader(pool, PixelSelector().prepare, 0),
        batch_size=None,
        num_workers=num_workers,
        prefetch_factor=max(2, batch_size) if num_workers else None,
        collate_fn=lambda item: item,
    )
    for items in batches_of_one_size(loader, batch_size):
        batch = dict(inputs=[i.inputs for i in items], data_samples=[i.sample for i in items])
        data = model.data_preprocessor(batch, False)
        model(**data, mode=mode)


def throughput(args: argparse.Namespace) -> dict:
    """Seconds per image of everything that takes turns, medians, and the ratios."""
    model = make_model(args.classes, args.device)
    with tempfile.TemporaryDirectory() as folder:
        pool = make_pool(folder, args.images, tuple(args.size))
        flag(model, pool, FLAGGED)
        if args.labelled:
            pool.labels = EarlierLabels(tuple(args.size), args.labelled, args.classes)
        budget = max(1, round(SHARE * args.images * args.size[0] * args.size[1]))
        loader = dict(batch_size=args.batch_size, num_workers=args.num_workers)
        runs: dict[str, Callable] = dict(
            predict=lambda: run_network(model, pool, 'predict', **loader),
            forward=lambda: run_network(model, pool, 'tensor', **loader),
        )
        for name in args.strategies:
            strategy = STRATEGIES[name]
            strategy.begin(context_of(model, pool, folder))
            whole = isinstance(strategy, CoreSetQuery)
            selector = ImageSelector() if whole else PixelSelector(block=BLOCK)
            ask = (1, 'images') if whole else (budget, 'pixels')
            runs[name] = lambda strategy=strategy, selector=selector, ask=ask: select(
                model, pool, strategy, selector, *ask, **loader
            )
        times = take_turns(runs, args.repeats)
    result = {f'{name}_time': median(times[name]) / args.images for name in times}
    for name in args.strategies:
        for base in ('predict', 'forward'):
            result[f'{name}_ratio_to_{base}'] = ratio(times[base], times[name])
    return result


def simulated_pool(number: int) -> Iterator[ScoredImage]:
    """Scored images that are nowhere, one at a time."""
    rng = np.random.default_rng(0)
    native = tuple(4 * side for side in SIMULATED)
    rows, columns = (cell_centres(4 * side, side) for side in SIMULATED)
    for index in range(number):
        scores = rng.random(SIMULATED, np.float32).astype(np.float16)
        yield ScoredImage(PoolImage(index, '', native), scores, rows, columns)


def simulate(number: int, budget: int) -> dict:
    """A selection from a simulated pool; to be run in a process of its own."""
    before, began = _memory('VmRSS'), time.perf_counter()
    choices = choose(simulated_pool(number), PixelSelector(), budget)
    seconds = time.perf_counter() - began
    spent = sum(len(choice.units) for choice in choices)
    peak = _memory('VmHWM')
    return dict(
        images=number,
        asked=spent,
        seconds=seconds,
        microseconds_per_image=1e6 * seconds / number,
        peak_memory_mib=peak,
        own_memory_mib=peak - before,
    )


JOINT = {
    'clasp': (ClaSPQuery, 19, 1000),
    'foreground_random': (ForegroundRandomQuery, 19, 1000),
    'core_set': (CoreSetQuery, 256, 150),
}
"""Strategies that choose jointly: class, dimensions of an embedding, and images that are asked."""


def simulate_joint(number: int, name: str) -> dict:
    """A joint choice of whole images; to be run in a process of its own.

    Its memory includes the mapped scratch file, which the system takes back when it needs the room.
    """
    kind, dimensions, budget = JOINT[name]
    strategy, selector = kind(), ImageSelector()
    strategy.seed = 0
    rng = np.random.default_rng(0)

    def embedded() -> Iterator[ScoredImage]:
        for image in simulated_pool(number):
            image.embedding = rng.random(dimensions, np.float32)
            yield image

    before, began = _memory('VmRSS'), time.process_time()
    choices = choose_jointly(embedded(), (), strategy, selector, budget, 'images', seed=0)
    return dict(
        strategy=name,
        images=number,
        asked=len(choices),
        processor_seconds=time.process_time() - began,
        own_memory_mib=_memory('VmHWM') - before,
    )


def _memory(key: str) -> float:
    """MiB of this process, by a key of the kernel's table."""
    with open('/proc/self/status') as file:
        line = next(line for line in file if line.startswith(key))
    return int(line.split()[1]) / 1024


def in_own_process(work: Callable[..., dict], *args) -> dict:
    """A simulation in a fresh process, whose peak is its own."""
    with multiprocessing.get_context('spawn').Pool(1) as process:
        return process.apply(work, args)


def main(argv: list[str] | None = None) -> dict:
    """Entry point."""
    parser = ToolParser(__doc__)
    cuda = torch.cuda.is_available()
    parser.share('--json').share('--device', default='cuda' if cuda else 'cpu')
    parser.share('--images', default=256 if cuda else 6, help='size of the pool (%(default)s)')
    sides = (1024, 2048) if cuda else (360, 480)
    parser.add_argument('--size', type=int, nargs=2, default=sides, metavar=('HEIGHT', 'WIDTH'))
    numbers = {'classes': (19, 11), 'batch-size': (4, 2), 'num-workers': (8, 0)}
    for name, (on_gpu, on_cpu) in numbers.items():
        parser.add_argument(f'--{name}', type=int, default=on_gpu if cuda else on_cpu)
    parser.add_argument(
        '--labelled', type=float, default=0.0, help='share of pixels labelled before the query'
    )
    parser.add_argument(
        '--strategies',
        nargs='*',
        choices=list(STRATEGIES),
        default=['entropy', 'plar', 'seed'],
        help='strategies to time (%(default)s)',
    )
    parser.share('--repeats', default=3)
    pools = (100, 10_000, 1_000_000)
    parser.add_argument(
        '--pools', type=int, nargs='*', default=pools, help='sizes of the simulated pools'
    )
    parser.add_argument(
        '--joint', type=int, nargs='*', default=[], help='sizes of those for joint choices (none)'
    )
    args = parser.parse_args(argv)
    if min(args.images, args.repeats, args.batch_size) < 1 or not 0 <= args.labelled < 1:
        raise UserError('counts must be at least 1 and --labelled must lie in [0, 1)')
    init_default_scope('mmseg')
    names = ('device', 'size', 'batch_size', 'labelled', 'classes', 'images', 'num_workers')
    result = {name: getattr(args, name) for name in names}
    result.update(flagged=FLAGGED, block=BLOCK)
    result.update(threads=torch.get_num_threads(), torch=torch.__version__, commit=commit())
    result.update(throughput(args))
    result['pools'] = [in_own_process(simulate, number, BUDGET) for number in args.pools]
    result['joint'] = [
        in_own_process(simulate_joint, n, name) for n in args.joint for name in JOINT
    ]
    return show_result(result, args.json)


if __name__ == '__main__':
    run_tool(main)
