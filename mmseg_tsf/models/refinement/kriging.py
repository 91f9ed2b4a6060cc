"""Kriging: the network's errors at the manual pixels of an image, carried to its flagged pixels.

Gaussian-process regression (kriging, in geostatistics) of ``label - probabilities``, with the
network's probabilities as its mean: it says nothing where no manual pixel is alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...utils.errors import UserError
from ..utils.grid import resize_features
from ..utils.labels import IGNORE_INDEX
from .decisions import Decision, best_two
from .distances import PixelIndex

MAX_SEEDS = 2048
"""Manual pixels of an image that count, evenly spread: the system of equations has that size."""
MAX_PAIRS = 2**24
"""Similarities that are held at a time."""
TINY = 1e-12


@dataclass(frozen=True)
class Kriging:
    """Options of the rule.

    Two pixels are similar by ``exp(-(d / feature_range)^2 / 2 - (s / cell_range)^2 / 2)``: ``d``
    is the distance of their features, 1 = the root mean square over all pairs of the image, mixed
    over the maps by lambda_E; ``s`` is their distance on the grid.

    Args:
        feature_range: Range of the similarity in the features.
        cell_range: Range of the similarity on the grid, in cells.
        noise: Variance of a single manual pixel, beside 1 of what is learnt from it.
        min_similarity: Pixels that resemble every manual pixel less are left unresolved, in
            [0, 1).

    Raises:
        UserError: An option is out of its range; the message names it.
    """

    feature_range: float = 0.45
    cell_range: float = 12.0
    noise: float = 0.2
    min_similarity: float = 0.3

    def __post_init__(self) -> None:
        for name in ('feature_range', 'cell_range', 'noise'):
            if getattr(self, name) <= 0:
                raise UserError(f'kriging.{name} must be above 0, not {getattr(self, name)}')
        if not 0 <= self.min_similarity < 1:
            raise UserError(f'kriging.min_similarity must be in [0, 1), not {self.min_similarity}')


def krige(
    maps: list[Tensor],
    probs: Tensor,
    manual: Tensor,
    valid: Tensor,
    pixels: PixelIndex,
    weights: Tensor,
    options: Kriging,
    with_changes: bool = True,
) -> Decision:
    """Decides M pixels by the manual ones of their image.

    With the similarities ``S`` among the manual pixels and ``s`` of a pixel to them, its
    probabilities become ``p + s (S + noise I)^-1 (Y - P)``: rows of ``Y`` are the manual labels,
    rows of ``P`` the network's probabilities there. They still sum to 1, but may leave [0, 1].

    Args:
        maps: ``(N, C_j, h_j, w_j)`` each, of any size.
        probs: ``(N, K, h, w)``.
        manual: ``(N, h, w)`` int64, 255 = nobody has labelled.
        valid: ``(N, h, w)`` bool; not set in the padding.
        pixels: The M pixels.
        weights: ``(N, 2)`` lambda_E and lambda_M of each image.
        options: Options of the rule.
        with_changes: Whether to return the changes of all probabilities, manual pixels included; a
            query needs only the decisions.
    """
    seeds = PixelIndex.of(manual != IGNORE_INDEX)
    probs = probs.float()
    posterior = probs.flatten(2)[pixels.image, :, pixels.position]  # (M, K)
    similar = torch.zeros_like(posterior[:, 0])
    asked, known = (p.position.split(p.counts) for p in (pixels, seeds))
    posteriors, similars = (t.split(pixels.counts) for t in (posterior, similar))
    images = [i for i in range(len(probs)) if seeds.counts[i]]
    maps, scales = scaled_maps(maps, manual.shape[1:], images, valid, weights, options)
    changes = torch.zeros_like(probs) if with_changes else None
    for row, i in enumerate(images):
        own = known[i][:: max(1, math.ceil(len(known[i]) / MAX_SEEDS))]
        queries = torch.cat((asked[i], known[i])) if with_changes else asked[i]
        place = [
            embedding([f[row] for f in maps], [s[row] for s in scales], where, options.cell_range)
            for where in (own, queries)
        ]
        error = -probs[i].flatten(1)[:, own].t()
        error[torch.arange(len(own), device=own.device), manual[i].flatten()[own]] += 1
        change, nearness = carry(*place, error, options.noise)
        if with_changes:
            changes[i].flatten(1)[:, queries] = change.t()
        posteriors[i].add_(change[: len(asked[i])])
        similars[i].copy_(nearness[: len(asked[i])])
    best, second = best_two(posterior)
    # without any manual pixel the similarity is 0, which decides nothing
    decided = (similar > 0) & (similar >= options.min_similarity)
    margin = (best - second).clamp(0, 1)
    return Decision(posterior.argmax(dim=1), decided, margin, best.clamp(0, 1), changes)


def scaled_maps(
    maps: list[Tensor],
    size: tuple[int, int],
    images: list[int],
    valid: Tensor,
    weights: Tensor,
    options: Kriging,
) -> tuple[list[Tensor], list[Tensor]]:
    """Features of the I images that have something to tell, and what to multiply them by.

    Args:
        maps: Feature maps, see :func:`krige`.
        size: Height and width of the grid.
        images: Which, of the N.
        valid: Mask of the padding, see :func:`krige`.
        weights: Weights of the maps, see :func:`krige`.
        options: Options of the rule.

    Returns:
        tuple[list[Tensor], list[Tensor]]: ``(I, C_j, h, w)`` and ``(I,)`` for each map.
    """
    if len(images) < len(valid):  # most of a pool, as long as nobody has labelled anything
        maps, valid, weights = [f[images] for f in maps], valid[images], weights[images]
    maps = [resize_features(features, size) for features in maps] if images else []
    shares = torch.stack((weights[:, 0], 1 - weights[:, 0]), dim=1).sqrt() / options.feature_range
    return maps, [shares[:, j] / spread(features, valid) for j, features in enumerate(maps)]


def spread(features: Tensor, valid: Tensor) -> Tensor:
    """Root mean square distance of two pixels of an image, padding left out.

    Args:
        features: ``(N, C, h, w)``.
        valid: ``(N, h, w)`` bool.

    Returns:
        Tensor: ``(N,)``, above 0 even for an image of one value.
    """
    inside = valid.flatten(1).float().unsqueeze(2)  # (N, h*w, 1)
    count = inside.sum(dim=1, keepdim=True).clamp(min=1)
    pixels = features.flatten(2).float()
    mean = pixels @ (inside / count)
    centred = (pixels - mean).mul_(inside.transpose(1, 2))
    # a norm reads its input once, and loses digits over more than a channel of it
    squares = torch.linalg.vector_norm(centred, dim=2).square().sum(dim=1)
    return (2 * squares / count.flatten()).sqrt().clamp(min=TINY)


def embedding(maps: list[Tensor], scales: list[Tensor], where: Tensor, cell_range: float) -> Tensor:
    """Scaled features and position of some pixels: their distances are those of the similarity.

    Args:
        maps: ``(C_j, h, w)`` each.
        scales: Scalars, what the features of each map are multiplied by.
        where: ``(n,)`` int64 flat positions.
        cell_range: Range on the grid, see :class:`Kriging`.

    Returns:
        Tensor: ``(n, C_1 + C_2 + 2)`` float32.
    """
    width = maps[0].shape[2]
    parts = [f.flatten(1)[:, where].float() * s for f, s in zip(maps, scales, strict=True)]
    row = where.div(width, rounding_mode='floor')
    parts.append(torch.stack((row, where - row * width)) / cell_range)
    return torch.cat(parts).t()


def carry(seeds: Tensor, queries: Tensor, error: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """Errors at some pixels, carried to others.

    Args:
        seeds: ``(S, D)`` as :func:`embedding` returns it.
        queries: ``(Q, D)``.
        error: ``(S, K)`` at the seeds.
        noise: Added to the diagonal.

    Returns:
        tuple[Tensor, Tensor]: Expected errors ``(Q, K)`` and the greatest similarity ``(Q,)``.
    """
    middle = seeds.mean(dim=0)  # products of what is far from 0 would cancel
    seeds, queries = seeds - middle, queries - middle
    system = similarity(seeds, seeds).double()
    system.diagonal().copy_(torch.full_like(system[0], 1 + noise))
    factor, failed = torch.linalg.cholesky_ex(system)  # that raises nothing: no host waits
    gain = torch.cholesky_solve(error.double(), factor).float().masked_fill(failed > 0, 0)
    errors, nearness = [], []
    for part in queries.split(max(1, MAX_PAIRS // len(seeds))):
        alike = similarity(part, seeds)
        errors.append(alike @ gain)
        nearness.append(alike.amax(dim=1))
    return torch.cat(errors), torch.cat(nearness)


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """``exp(-||a - b||^2 / 2)`` of the rows of ``(n, D)`` and ``(m, D)``: ``(n, m)``."""
    squares = first.square().sum(dim=1, keepdim=True) / 2, second.square().sum(dim=1) / 2
    return torch.addmm(-squares[1], first, second.t()).sub_(squares[0]).clamp_(max=0).exp_()
