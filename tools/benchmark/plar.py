"""Times PLAR against the matrix products that it needs at least, and against scikit-learn.

    OMP_NUM_THREADS=1 python tools/benchmark/plar.py --json plar.json

These take turns in one process, with the same threads, on features drawn around the means of
classes:

* the whole refinement (``PseudoLabelAutoRefinement``) by the paper's vote;
* the same by the default rule, with every twentieth flagged pixel labelled by hand;
* plain ``torch.mm`` with its floating-point operations: the scatter matrix of every class and
  the whitening of every flagged pixel for every class, on both maps;
* on a CPU, the same distances by scikit-learn's ``LedoitWolf`` and scipy's ``cdist``, after the
  others: the threads of its library spin for a while and would slow whoever comes next.

By default it is a 90x120 grid of 11 classes on a CPU and a 256x512 grid of 19 on a GPU, twice 256
channels, a fifth of the pixels flagged.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf
from torch import Tensor

from mmseg_tsf.engine.run_info import commit
from mmseg_tsf.models.refinement.plar import PAPER, PseudoLabelAutoRefinement
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.timing import ratio, show_result, take_turns

FLAGGED = 0.2
"""Share of the pixels in the error mask."""


class Case(NamedTuple):
    """One image: maps ``(1, C, h, w)``, probs ``(1, K, h, w)``, error mask ``(1, h, w)``."""

    maps: list[Tensor]
    probs: Tensor
    mask: Tensor

    @property
    def labels(self) -> Tensor:
        """``(1, h, w)`` labels of the reference pixels, 255 elsewhere."""
        return self.probs.argmax(dim=1).masked_fill(self.mask, 255)

    @property
    def manual(self) -> Tensor:
        """``(1, h, w)`` a label at every twentieth flagged pixel, 255 elsewhere."""
        rank = self.mask.flatten().cumsum(0).view_as(self.mask)
        return self.probs.argmax(dim=1).masked_fill(~self.mask | (rank % 20 != 0), 255)


def make_case(
    size: tuple[int, int], classes: int, channels: int, flagged: float, device: torch.device
) -> Case:
    """Blocks of random classes, features with a falling spectrum around the classes' means."""
    generator = torch.Generator(device).manual_seed(0)
    options = dict(generator=generator, device=device)
    coarse = torch.randint(classes, (1, size[0] // 2 + 1, size[1] // 2 + 1), **options)
    coarse.view(-1)[:classes] = torch.arange(classes, device=device)
    labels = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, : size[0], : size[1]]
    spectrum = torch.logspace(0, -1.5, channels, device=device).view(1, -1, 1, 1)
    maps = []
    for _ in range(2):
        means = torch.randn(classes, channels, **options)
        noise = torch.randn(1, channels, *size, **options) * spectrum
        maps.append((means[labels].permute(0, 3, 1, 2).contiguous() + 2 * noise).relu())
    probs = torch.randn(1, classes, *size, **options)
    probs.scatter_(1, labels.unsqueeze(1), 4.0)
    return Case(maps, probs.softmax(dim=1), torch.rand(labels.shape, **options) < flagged)


def plain_products(case: Case, min_pixels: int) -> tuple[Callable[[], None], float]:
    """The products that the refinement needs, and their floating-point operations."""
    labels, queries = case.labels, int(case.mask.sum())
    counts = torch.bincount(labels[labels != 255], minlength=case.probs.shape[1]).tolist()
    counts = [count for count in counts if count >= min_pixels]
    channels, device = case.maps[0].shape[1], labels.device
    block = torch.randn(channels, max(counts), device=device)
    pixels = torch.randn(channels, queries, device=device)
    square = torch.randn(channels, channels, device=device)
    scatter, whitened = torch.empty_like(square), torch.empty_like(pixels)

    def run() -> None:
        for _ in case.maps:
            for count in counts:
                torch.mm(block[:, :count], block[:, :count].t(), out=scatter)
                torch.mm(square, pixels, out=whitened)

    flops = 2 * channels**2 * len(case.maps) * (sum(counts) + queries * len(counts))
    return run, float(flops)


def reference(case: Case, min_pixels: int) -> None:
    """Statistics and distances by scikit-learn and scipy, in float64, class by class."""
    labels, mask = case.labels.flatten().numpy(), case.mask.flatten().numpy()
    for features in case.maps:
        vectors = features.double().flatten(2)[0].t().numpy()
        for k in range(case.probs.shape[1]):
            own = vectors[labels == k]
            if len(own) < min_pixels:
                continue
            fit = LedoitWolf().fit(own)
            mean = own.mean(axis=0, keepdims=True)
            cdist(vectors[mask], mean)
            cdist(vectors[mask], mean, 'mahalanobis', VI=np.asarray(fit.precision_))


def make_refiner(case: Case, **options) -> PseudoLabelAutoRefinement:
    """A refiner that fits a case, with some options."""
    channels = [features.shape[1] for features in case.maps]
    refiner = PseudoLabelAutoRefinement(case.probs.shape[1], channels, **options)
    return refiner.to(case.mask.device)


def scaling(
    size: tuple[int, int], classes: int, channels: int, device: torch.device, repeats: int
) -> dict[str, list[dict[str, float]]]:
    """Time against flagged pixels (classes fixed) and against classes (a fifth flagged)."""
    cases = dict(
        flagged=[(classes, share) for share in (0.1, 0.2, 0.4, 0.8)],
        classes=[(number, 0.2) for number in (4, 8, 16, 32)],
    )
    rows: dict[str, list[dict[str, float]]] = {}
    for name, settings in cases.items():
        rows[name] = []
        for number, share in settings:
            case = make_case(size, number, channels, share, device)
            refiner = make_refiner(case, **PAPER)
            run = lambda: refiner(case.maps, case.probs, case.mask)  # noqa: B023, E731
            seconds = statistics.median(take_turns(dict(plar=run), repeats)['plar'])
            rows[name].append(dict(classes=number, flagged=int(case.mask.sum()), seconds=seconds))
    return rows


def benchmark(
    size: tuple[int, int], classes: int, channels: int, repeats: int, device: torch.device
) -> dict:
    """Figures of the refinement on a grid of ``size``; times in seconds, medians."""
    case = make_case(size, classes, channels, FLAGGED, device)
    refiner, default, manual = make_refiner(case, **PAPER), make_refiner(case), case.manual
    products, flops = plain_products(case, PAPER['min_pixels'])
    runs = dict(
        plar=lambda: refiner(case.maps, case.probs, case.mask),
        default=lambda: default(case.maps, case.probs, case.mask, manual),
        gemm=products,
    )
    times = take_turns(runs, repeats)
    if device.type == 'cpu':
        runs = dict(reference=lambda: reference(case, PAPER['min_pixels']))
        times.update(take_turns(runs, repeats))
    median = {name: statistics.median(values) for name, values in times.items()}
    result = dict(device=str(device), grid=list(size), classes=classes, channels=channels)
    result.update(flagged=int(case.mask.sum()), gflop=flops / 1e9, repeats=repeats)
    result.update(threads=torch.get_num_threads(), torch=torch.__version__, commit=commit())
    result.update({f'{name}_time': value for name, value in median.items()})
    result['ratio_to_gemm'] = ratio(times['plar'], times['gemm'])
    result['default_ratio_to_gemm'] = ratio(times['default'], times['gemm'])
    if device.type == 'cpu':
        result['speedup'] = ratio(times['reference'], times['plar'])
    else:
        result.update(peak_memory(case, refiner))
    result['scaling'] = scaling(size, classes, channels, device, max(1, repeats // 2))
    return result


def peak_memory(case: Case, refiner: PseudoLabelAutoRefinement) -> dict[str, float]:
    """Peak of the GPU's memory in one refinement, features included, and as their multiple."""
    refiner(case.maps, case.probs, case.mask)
    own = sum(f.numel() * f.element_size() for f in case.maps)
    base = torch.cuda.memory_allocated() - own
    torch.cuda.reset_peak_memory_stats()
    refiner(case.maps, case.probs, case.mask)
    peak = torch.cuda.max_memory_allocated() - base
    return dict(peak_memory_mib=peak / 2**20, memory_ratio=peak / own)


def main(argv: list[str] | None = None) -> dict:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.share('--json')
    parser.share('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument(
        '--grid', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'), help='size of the feature maps'
    )
    parser.add_argument('--classes', type=int, help='number of classes')
    parser.add_argument(
        '--channels', type=int, default=256, help='channels of the feature maps (%(default)s)'
    )
    parser.share('--repeats', default=5)
    args = parser.parse_args(argv)
    if args.repeats < 1:
        raise UserError('--repeats must be at least 1')
    default = ((90, 120), 11) if args.device == 'cpu' else ((256, 512), 19)
    size, classes = tuple(args.grid or default[0]), args.classes or default[1]
    device = torch.device(args.device)
    result = benchmark(size, classes, args.channels, args.repeats, device)
    return show_result(result, args.json)


if __name__ == '__main__':
    run_tool(main)
