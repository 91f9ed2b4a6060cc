"""Covariances of few pixels, shrunk towards a scaled identity, and their Cholesky factors.

The share of the identity has a closed form (Ledoit and Wolf 2004).
"""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = 1e-5
"""Least weight of the identity, as a share of the variance of the image plus that of the class."""
TINY = 1e-12


def shrink_(
    covariances: Tensor,
    count: Tensor,
    shrinkage: str | float,
    variance: Tensor,
    quartic: Tensor | None = None,
) -> None:
    """Shrinks covariances towards the identity, in place.

    Args:
        covariances: ``(V, C, C)``.
        count: ``(V,)`` pixels behind each.
        shrinkage: ``'ledoit_wolf'`` or the share of the identity itself.
        variance: ``(V,)`` what the floor is relative to, beside the covariance's own.
        quartic: ``(V,)`` sum of the fourth powers of the centred pixels' norms, for Ledoit-Wolf.
    """
    channels = covariances.shape[-1]
    diagonal = covariances.diagonal(dim1=-2, dim2=-1)  # a view
    scale = diagonal.double().mean(dim=1)
    if isinstance(shrinkage, str):
        square = torch.linalg.vector_norm(covariances, dim=(1, 2), dtype=torch.float64).square()
        share = ledoit_wolf(square, scale, count.double(), channels, quartic)
    else:
        share = torch.full_like(scale, shrinkage)
    covariances *= (1 - share).float().view(-1, 1, 1)
    identity = torch.maximum(share * scale, FLOOR * (scale + variance) + TINY)
    diagonal += identity.float().unsqueeze(1)


def ledoit_wolf(
    square: Tensor, scale: Tensor, count: Tensor, channels: int, quartic: Tensor
) -> Tensor:
    """Ledoit and Wolf's shrinkage, as ``sklearn.covariance.ledoit_wolf_shrinkage`` has it.

    Args:
        square: ``(V,)`` squared Frobenius norm of the empirical covariance.
        scale: ``(V,)`` its mean diagonal.
        count: ``(V,)`` pixels.
        channels: C.
        quartic: ``(V,)`` sum of the fourth powers of the centred pixels' norms: what the sum over
            all entries of ``(X^2)^T X^2`` is, without that product.

    Returns:
        Tensor: ``(V,)`` in [0, 1].
    """
    beta = (quartic / count - square) / (channels * count)
    delta = square / channels - scale.square()
    return (beta / delta.clamp(min=torch.finfo(delta.dtype).tiny)).clamp(0, 1)


def cholesky(covariances: Tensor) -> Tensor:
    """Lower factors ``(V, C, C)`` in float32.

    Factored in float64, which few pixels need. Where the sums, rounded to float32, have no
    positive definite matrix left even so (a class of two values, say, which is not shrunk at
    all), the variances alone are kept. Nothing is read back: the host would have to wait.
    """
    factor, info = torch.linalg.cholesky_ex(covariances.double())
    variances_alone = covariances.diagonal(dim1=-2, dim2=-1).sqrt().diag_embed()
    return torch.where((info > 0).view(-1, 1, 1), variances_alone, factor.float())
