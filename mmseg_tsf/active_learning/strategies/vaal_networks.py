"""The networks of VAAL and their losses."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

COARSEST = 2
"""Side of the encoder's last map."""


class VAE(nn.Module):
    """Variational autoencoder of the published code (``model.py`` of ``sinhasam/vaal``).

    The encoder halves an image until 2x2 cells are left, and each of its layers has twice as many
    channels as the one before. The published one takes 32x32 pixels and has 128, 256, 512 and 1024
    channels; one of 64x64 pixels begins with a further layer of 64, so that maps of one size have
    the same channels in both. The decoder mirrors it from 4x4 cells on.

    Args:
        size: Side of the images, a power of 2 of at least 16.
        latent: Number of latent variables.
        channels: Channels of the coarsest maps.
    """

    def __init__(self, size: int, latent: int, channels: int) -> None:
        super().__init__()
        widths = encoder_widths(size, channels)
        steps = zip([3, *widths], widths, strict=False)
        self.encoder = nn.Sequential(*_layers(nn.Conv2d, steps), nn.Flatten())
        self.mean = nn.Linear(channels * COARSEST**2, latent)
        self.log_variance = nn.Linear(channels * COARSEST**2, latent)
        side = 2 * COARSEST
        steps = zip(widths[::-1], widths[-2::-1], strict=False)
        self.decoder = nn.Sequential(
            nn.Linear(latent, channels * side**2),
            nn.Unflatten(1, (channels, side, side)),
            *_layers(nn.ConvTranspose2d, steps),
            nn.ConvTranspose2d(widths[0], 3, kernel_size=1),
        )
        _init(self.encoder)
        _init(self.decoder)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log variances, ``(N, Z)`` each, of ``(N, 3, S, S)`` images in [-1, 1]."""
        maps = self.encoder(images)
        return self.mean(maps), self.log_variance(maps)


class Discriminator(nn.Sequential):
    """Logit of the probability that the latent variables ``(N, Z)`` are of a labelled image.

    Args:
        latent: Number of latent variables.
    """

    def __init__(self, latent: int) -> None:
        super().__init__(
            nn.Linear(latent, 512),
            nn.ReLU(),
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Linear(512, 1),
            nn.Flatten(0),
        )
        _init(self)


def encoder_widths(size: int, channels: int) -> list[int]:
    """Channels of the encoder's layers, from the image on."""
    layers = (size // COARSEST).bit_length() - 1
    return [channels >> (layers - 1 - i) for i in range(layers)]


def vae_loss(
    images: Tensor, restored: Tensor, mean: Tensor, log_variance: Tensor, beta: float
) -> Tensor:
    """Mean squared error, and divergence from the standard normal distribution.

    Args:
        images: ``(N, 3, S, S)`` in [-1, 1].
        restored: The same from latent variables.
        mean: ``(N, Z)`` means of the latent variables.
        log_variance: ``(N, Z)``.
        beta: Weight of the divergence (Kullback-Leibler), which is a sum over the latent variables
            and, like the error, a mean over all values of the images.
    """
    divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
    return F.mse_loss(restored, images) + beta * divergence / images.numel()


def discriminator_loss(labelled: Tensor, unlabelled: Tensor, fool: bool) -> Tensor:
    """Sum of the binary cross entropies of labelled and unlabelled images.

    Args:
        labelled: ``(N,)`` logits.
        unlabelled: ``(N,)`` logits.
        fool: Whether both shall be called labelled, which is the VAE's aim; the discriminator's is
            to tell them apart.
    """
    other = torch.ones_like(unlabelled) if fool else torch.zeros_like(unlabelled)
    own = F.binary_cross_entropy_with_logits(labelled, torch.ones_like(labelled))
    return own + F.binary_cross_entropy_with_logits(unlabelled, other)


def _layers(kind: type[nn.Module], steps: Iterable[tuple[int, int]]) -> list[nn.Module]:
    """Layers with stride 2, each with batch norm and ReLU."""
    return [
        layer
        for old, new in steps
        for layer in (kind(old, new, 4, 2, 1, bias=False), nn.BatchNorm2d(new), nn.ReLU())
    ]


def _init(layers: nn.Sequential) -> None:
    """Kaiming's initial weights; as published, transposed convolutions keep those of torch."""
    for layer in layers:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
