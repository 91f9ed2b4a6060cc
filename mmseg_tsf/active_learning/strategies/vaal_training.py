"""Training of the networks of VAAL, which a killed process can go on with."""

from __future__ import annotations

import functools
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from ...utils.files import write_file
from ...utils.progress import track
from ...utils.seeding import draw_seed, hashed
from .vaal_networks import VAE, Discriminator, discriminator_loss, vae_loss

LEARNING_RATE = 5e-4
SAVE_SECONDS = 60.0
"""Time between two writes of the state; what is learnt does not depend on it."""
AT_ONCE = 256
"""Images that are judged in one batch."""


@dataclass
class VAALOptions:
    """Options of the networks and their training; see ``VAALQuery``."""

    size: int
    latent: int
    channels: int
    beta: float
    adversary: float
    iterations: int
    batch_size: int


class VAALTraining:
    """A VAE and a discriminator, and their state on the disk.

    Random numbers depend on the seed and the number of the step alone, so a training that was
    killed and goes on ends like an uninterrupted one, on a CPU to the bit.

    Args:
        images: ``(M, 3, S, S)`` uint8.
        labelled: ``(M,)`` bool.
        options: Options.
        seed: Seed.
        device: Device of the networks.
        path: File of the state.
    """

    def __init__(
        self,
        images: np.ndarray,
        labelled: np.ndarray,
        options: VAALOptions,
        seed: int,
        device: torch.device,
        path: Path,
    ) -> None:
        self.images, self.options, self.seed = images, options, seed
        self.device, self.path = device, path
        self.kinds = (
            ShuffledImages(labelled.nonzero()[0], hashed(seed, 1)),
            ShuffledImages((~labelled).nonzero()[0], hashed(seed, 2)),
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw_seed(seed, 0))
            self.vae = VAE(options.size, options.latent, options.channels).to(device)
            self.discriminator = Discriminator(options.latent).to(device)
        self.parts = dict(
            vae=self.vae,
            discriminator=self.discriminator,
            vae_optimizer=torch.optim.Adam(self.vae.parameters(), LEARNING_RATE),
            discriminator_optimizer=torch.optim.Adam(
                self.discriminator.parameters(), LEARNING_RATE
            ),
        )
        self.done, self.losses = 0, {}

    def run(self, tick: Callable[[], object]) -> None:
        """Trains up to the last iteration, from where the state on the disk is on.

        Args:
            tick: Function that is called after each iteration.
        """
        self._load()
        self.vae.train()
        saved, first = time.monotonic(), self.done
        say = functools.partial(print_log, logger='current')
        for number in track(range(first, self.options.iterations), 'Training VAAL', say=say):
            self._step(number)
            self.done = number + 1
            if time.monotonic() - saved >= SAVE_SECONDS:
                self._save()
                saved = time.monotonic()
            tick()
        if self.done > first:
            self._save()

    @torch.no_grad()
    def judge(self, first: int) -> np.ndarray:
        """Logits that the images from ``first`` on are labelled, ``(M - first,)`` float32."""
        self.vae.eval()
        found = []
        for begin in range(first, len(self.images), AT_ONCE):
            mean, _ = self.vae.encode(self._to_device(self.images[begin : begin + AT_ONCE]))
            found.append(self.discriminator(mean).float().cpu())
        return torch.cat(found).numpy()

    def _step(self, number: int) -> None:
        """Two steps of the VAE, each with a new batch, and one of the discriminator."""
        for half in (0, 1):
            images = self._batch(2 * number + half)
            self._step_vae(images, 2 * number + half)
        with torch.no_grad():  # in training mode, as published
            means = self.vae.encode(images)[0]
        loss = discriminator_loss(*self.discriminator(means).chunk(2), fool=False)
        self._update('discriminator', loss)
        self.losses['discriminator'] = loss.detach()

    def _step_vae(self, images: Tensor, number: int) -> None:
        options, shape = self.options, (len(images), self.options.latent)
        generator = torch.Generator().manual_seed(draw_seed(self.seed, number + 1))
        noise = torch.randn(shape, generator=generator).to(self.device)
        mean, log_variance = self.vae.encode(images)
        restored = self.vae.decoder(mean + noise * (log_variance / 2).exp())
        loss = vae_loss(images, restored, mean, log_variance, options.beta)
        fooled = discriminator_loss(*self.discriminator(mean).chunk(2), fool=True)
        # twice the mean over both kinds is the published sum of their means
        self._update('vae', 2 * loss + options.adversary * fooled)
        self.losses['vae'] = loss.detach()

    def _update(self, name: str, loss: Tensor) -> None:
        optimizer = self.parts[f'{name}_optimizer']
        inputs = [p for group in optimizer.param_groups for p in group['params']]
        for parameter, gradient in zip(inputs, torch.autograd.grad(loss, inputs), strict=True):
            parameter.grad = gradient
        optimizer.step()

    def _batch(self, number: int) -> Tensor:
        """Labelled and, behind them, as many unlabelled images."""
        size = self.options.batch_size
        places = np.concatenate([own.batch(number, size) for own in self.kinds])
        return self._to_device(self.images[places])

    def _to_device(self, images: np.ndarray) -> Tensor:
        """``(N, 3, S, S)`` in [-1, 1]."""
        return torch.from_numpy(np.array(images)).to(self.device).float() / 127.5 - 1

    def _save(self) -> None:
        state = {name: part.state_dict() for name, part in self.parts.items()}
        content = io.BytesIO()
        torch.save(dict(state, done=self.done, losses=self.losses), content)
        write_file(self.path, content.getvalue())

    def _load(self) -> None:
        if not self.path.exists():
            return
        state = torch.load(self.path, map_location=self.device, weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self.done, self.losses = state['done'], state['losses']


class ShuffledImages:
    """Images in an endless random order, in which each occurs once before any occurs again.

    Args:
        places: ``(n,)`` places of the images.
        seed: ``(1,)`` uint64 seed of the order.
    """

    def __init__(self, places: np.ndarray, seed: np.ndarray) -> None:
        self.places, self.seed = places, seed
        self._order = functools.lru_cache(maxsize=2)(self._shuffled)

    def batch(self, number: int, size: int) -> np.ndarray:
        """``(size,)`` places of the images of a batch."""
        turns, own = np.divmod(np.arange(number * size, (number + 1) * size), len(self.places))
        return np.array([self._order(t)[i] for t, i in zip(turns.tolist(), own, strict=True)])

    def _shuffled(self, turn: int) -> np.ndarray:
        chance = hashed(self.seed, turn, np.arange(len(self.places)))
        return self.places[chance.argsort(kind='stable')]
