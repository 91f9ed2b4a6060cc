"""Section on the spent budget: by class, by round and by image."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ...active_learning.store.round_store import RoundStore

MOST_IMAGES = 12
BINS = 10


def describe_spend(store: RoundStore, summary: dict, pictures: list[dict]) -> dict | None:
    """Tables of the answered labels; ``None`` before the first answer.

    Args:
        store: Store of the rounds.
        summary: See :func:`~mmseg_tsf.active_learning.campaign.summary.summarise`.
        pictures: Rounds from :func:`~mmseg_tsf.reporting.sections.gallery.draw_round`.

    Returns:
        dict: ``classes`` (name, pixels, share), ``rounds`` (number and share of each class),
        ``images`` (id, pixels, rounds), the ``histogram`` of answered pixels per image, and by
        round how many of the answered pixels in the gallery had a ``wrong`` pseudo-label.
    """
    if not summary['rounds_answered']:
        return None
    bought = sum(summary['classes'].values())
    classes = [
        dict(name=name, pixels=pixels, share=pixels / max(1, bought))
        for name, pixels in summary['classes'].items()
    ]
    images, rounds = count_images(store)
    top = sorted(images, key=lambda image_id: (-images[image_id], image_id))[:MOST_IMAGES]
    return dict(
        bought=bought,
        largest=max(part['share'] for part in classes) or 1.0,
        classes=classes,
        rounds=[_shares(r) for r in summary['rounds'] if r['classes']],
        images=[dict(id=i, pixels=images[i], rounds=rounds[i]) for i in top],
        touched=len(images),
        pool=summary['available']['images'] - summary['initial']['images'],
        histogram=histogram(list(images.values())),
        wrong=[line for line in map(_wrong, pictures) if line['known']],
    )


def count_images(store: RoundStore) -> tuple[Counter, Counter]:
    """Number of paid pixels and of answered rounds of each image."""
    pixels, rounds = Counter(), Counter()
    for number in store.answered():
        notes = store.request(number).images
        for image_id in store.answer(number).images:
            pixels[image_id] += notes[image_id]['pixels']
            rounds[image_id] += 1
    return pixels, rounds


def histogram(amounts: list[int]) -> list[dict]:
    """Bins of ``amounts``: ``low``, ``high``, ``images`` and their ``part`` of the fullest bin."""
    low, high = min(amounts), max(amounts)
    edges = np.unique(np.linspace(low, high + 1, BINS + 1).round().astype(int))
    counts, _ = np.histogram(amounts, edges)
    return [
        dict(low=int(low), high=int(high) - 1, images=int(n), part=float(n / counts.max()))
        for n, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]


def _shares(line: dict) -> dict:
    total = sum(line['classes'])
    parts = [pixels / max(1, total) for pixels in line['classes']]
    return dict(round=line['round'], pixels=total, parts=parts)


def _wrong(part: dict) -> dict:
    sums = {name: sum(panel[name] for panel in part['panels']) for name in ('known', 'wrong')}
    return dict(sums, round=part['number'])
