"""VAAL: images that a discriminator tells from the labelled ones by their latent variables."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from ...utils.errors import UserError, explain_disk_errors
from ...utils.main_process import Ask, with_help_of_all
from ...utils.options import check_weight
from ..pool.outputs import PoolOutputs
from ..pool.pool import Pool
from ..pool.small_copies import SmallCopies
from ..registry import QUERY_STRATEGIES
from .base import QueryContext, QueryStrategy
from .vaal_training import VAALOptions, VAALTraining

SIZES = (32, 64, 128)
TICK_SECONDS = 20.0
"""Time after which the other ranks hear of the main process, which works alone."""


@QUERY_STRATEGIES.register_module()
class VAALQuery(QueryStrategy):
    """Images that differ most from labelled ones: VAAL (Sinha et al. 2019).

    A VAE learns to restore small copies of all images, and a discriminator to tell labelled from
    unlabelled ones by the latent means, which the VAE tries to prevent. An iteration is two steps
    of the VAE with fresh batches and one of the discriminator; both use Adam with a learning rate
    of 5e-4. Labelled are the images that are labelled from the start and those of the pool in which
    people have labelled something. Images with the lowest probability to be labelled come first,
    and all cells of an image have one score, so whole images should be asked (``ImageSelector``).
    Where all images are labelled at least in part, or none is, units are drawn at random and a
    warning is logged.

    The published code trains both networks beside the segmentor, which they neither see nor change,
    and anew in every round. Training them between the rounds gives the same. What differs:

    * Published are copies of 32x32 pixels, ``channels=1024``, ``batch_size=128`` and as many
      iterations as 100 epochs of all images have. The defaults take one core of a CPU about two
      minutes, whatever the number of images.
    * The published divergence is a sum over the batch and the error of the restored pixels a mean.
      The divergence then outweighs all else: with 55 labelled images of CamVid the latent means
      have a standard deviation of 0.005 between images (here 0.03 to 0.6), and two seeds rank the
      pool in opposed orders (correlation -0.6; here 0.6 to 0.75). Here both are means over all
      values of a batch; ``beta = 3 * size**2 * batch_size`` gives the published balance.
    * The VAE is in evaluation mode when images are scored. In the published training mode the score
      of an image depends on its batch.
    * Labelled and unlabelled images are one batch, which batch norm normalises together. Batches of
      their own, as published, lend each kind statistics of its own, which evaluation mode has not:
      where all labelled images were of one sequence of CamVid, images of the others came before
      those of the same in 50 and 51 % of the pairs (two seeds), against 56, 70 and 78 % here.

    The main process trains. What it has learnt is in the scratch folder of the round, so a killed
    run goes on. The copies take ``3 * size**2`` bytes of disk each.

    Args:
        size: Side of the small copies in pixels: 32, 64 or 128.
        latent: Number of latent variables.
        channels: Channels of the VAE's coarsest maps, a multiple of 32.
        beta: Weight of the divergence of the latent variables.
        adversary: Weight of the loss by which the VAE deceives the discriminator.
        iterations: Number of iterations.
        batch_size: Number of labelled images in a batch, and of unlabelled ones.
        num_workers: Number of workers that read the images.

    Raises:
        UserError: An option is invalid.
    """

    def __init__(
        self,
        size: int = 64,
        latent: int = 32,
        channels: int = 128,
        beta: float = 1.0,
        adversary: float = 1.0,
        iterations: int = 500,
        batch_size: int = 32,
        num_workers: int = 0,
    ) -> None:
        if size not in SIZES:
            raise UserError(f'VAALQuery.size={size!r} must be one of 32, 64 and 128')
        counts = dict(latent=latent, iterations=iterations, batch_size=batch_size)
        for name, value in dict(counts, channels=channels, num_workers=num_workers).items():
            least = 0 if name == 'num_workers' else 1
            if not isinstance(value, int) or value < least:
                raise UserError(
                    f'VAALQuery.{name}={value!r} must be a whole number from {least} on'
                )
        if channels % 32:
            raise UserError(f'VAALQuery.channels={channels} must be a multiple of 32')
        check_weight('VAALQuery.beta', beta)
        check_weight('VAALQuery.adversary', adversary)
        self.options = VAALOptions(size, latent, channels, beta, adversary, iterations, batch_size)
        self.num_workers = num_workers
        self._order = np.zeros(0, np.float32)
        self._notes: dict[str, int | float] = {}

    def begin(self, context: QueryContext) -> None:
        """Trains the networks and orders the pool.

        Raises:
            UserError: An image cannot be used; see ``PoolReader``.
            StoreError: The scratch folder cannot be written.
        """
        self._notes = {}
        self._order = with_help_of_all(lambda ask: self._learn(context, ask))

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        order = torch.from_numpy(self._order[outputs.keys.numpy()]).to(outputs.logits)
        return order[:, None, None].expand_as(outputs.logits[:, 0]).clone()

    def notes(self) -> dict[str, int | float]:
        """Numbers of images of both kinds, and the losses of the last step, by the main process."""
        return self._notes

    def _learn(self, context: QueryContext, ask: Ask) -> np.ndarray:
        """``(N,)`` scores of the pool, on the main process."""
        pools = [context.pool] if context.labelled is None else [context.labelled, context.pool]
        labelled = np.concatenate([_labelled(pool, pool is context.labelled) for pool in pools])
        counts = dict(labelled=int(labelled.sum()), unlabelled=int((~labelled).sum()))
        self._notes = counts
        if not all(counts.values()):
            print_log(
                f'VAALQuery, round {context.number}: of {len(labelled)} images '
                f'{counts["labelled"]} are labelled at least in part, so there is nothing to tell '
                'apart and units are drawn at random; ask whole images (ImageSelector)',
                'current',
                logging.WARNING,
            )
            return np.zeros(len(context.pool), np.float32)
        folder, tick = self._folder(context, pools, labelled), _every(TICK_SECONDS, ask)
        copies = SmallCopies(pools, self.options.size, context.seed)
        images = copies.write(folder / 'images.bin', self.num_workers, tick)
        device = next(context.model.parameters()).device
        training = VAALTraining(
            images, labelled, self.options, context.seed, device, folder / 'state.pth'
        )
        training.run(tick)
        losses = {name: round(float(loss), 4) for name, loss in training.losses.items()}
        self._notes = dict(counts, **losses)
        return places(training.judge(len(labelled) - len(context.pool)))

    def _folder(self, context: QueryContext, pools: list[Pool], labelled: np.ndarray) -> Path:
        """Folder of what is learnt from these images with these options, and from no others."""
        key = hashlib.sha256(repr((context.seed, *astuple(self.options))).encode())
        key.update(labelled.tobytes())
        for pool in pools:
            key.update(repr(pool.dataset.pipeline).encode())
            key.update('\n'.join(map(pool.path, range(len(pool)))).encode())
        folder = context.folder / f'vaal_{key.hexdigest()[:16]}'
        with explain_disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder


def places(logits: np.ndarray) -> np.ndarray:
    """Scores in (-1, 0] of images, 0 for the smallest logit; equal ones have one score.

    Scores are compared as halves. These tell the first two thousand places apart, where
    probabilities near 0.5 would be equal.
    """
    place = np.unique(logits, return_inverse=True)[1].reshape(-1)
    return -(place / len(place)).astype(np.float32)


def _labelled(pool: Pool, from_the_start: bool) -> np.ndarray:
    """``(N,)`` bool."""
    if from_the_start:
        return np.ones(len(pool), bool)
    pool = pool.listed()
    return np.array([pool.image(i).manual is not None for i in range(len(pool))], bool)


def _every(seconds: float, ask: Ask) -> Callable[[], None]:
    """Function that calls the other ranks to nothing, at most every few seconds.

    Their wait for the main process would else run into the timeout of the process group.
    """
    last = time.monotonic()

    def tick() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            ask([])
            last = time.monotonic()

    return tick
