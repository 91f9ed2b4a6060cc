"""What the network believed of the images that a round asked about, kept as small pictures."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from ..active_learning.campaign.campaign import Campaign
from ..active_learning.pool.pool import PoolImage
from ..active_learning.store.label_png import encode_labels
from ..active_learning.store.round_store import RoundStore
from ..datasets.checks import check_orientations
from ..evaluation.hidden_masks import load_image
from ..evaluation.pseudo_label_quality import PseudoLabelQuality
from ..models.utils.labels import IGNORE_INDEX
from ..utils.errors import UserError
from ..utils.files import SealedFolder, StoreError, remove, remove_leftovers, seal
from .beliefs import Belief, believe, unnoticed
from .drawing.thumbnails import small_labels, small_picture, small_size

FOLDER = 'report_data'
OPEN, DECIDED = 0, 1
"""In a picture of errors: flagged and left to people, flagged and decided by the refinement."""


def most_asked(store: RoundStore, number: int, limit: int) -> list[str]:
    """Ids of the images with the most asked pixels in a round; equal ones by name."""
    images = store.request(number).images
    return sorted(images, key=lambda image_id: (-images[image_id]['pixels'], image_id))[:limit]


def read_snapshot(work_dir: Path, store: RoundStore, number: int) -> SealedFolder | None:
    """The snapshot of a round; ``None`` where there is none of its request.

    Its manifest has ``images`` by id (``name`` of their files, and counts) and ``quality``.
    """
    try:
        sealed = SealedFolder(_folder(work_dir, number))
    except StoreError:
        return None
    belongs = sealed.manifest['request'] == store.request(number).digest
    return sealed if belongs else None


def keep_snapshot(
    work_dir: Path,
    number: int,
    model: nn.Module,
    campaign: Campaign,
    limit: int,
    truth: Truth | None = None,
) -> None:
    """Writes ``report_data/round_<number>/`` unless it is there.

    The model and all random states are afterwards what they were.

    Args:
        work_dir: Folder of the run.
        number: Number of the round.
        model: A ``SemiSegmentor`` with the weights of the query.
        campaign: Campaign with the pool and the rounds.
        limit: Most images that are kept.
        truth: Hidden ground truth, to measure the labels of these images.

    Raises:
        StoreError: The folder cannot be written.
        UserError: The hidden ground truth does not fit.
    """
    store, path = campaign.store, _folder(work_dir, number)
    answered = store.state(number) == 'answered'
    info = dict(
        request=store.request(number).digest,
        answer=store.answer(number).digest if answered else None,
        order=most_asked(store, number, limit),
    )
    there = read_snapshot(work_dir, store, number)
    if there and all(there.manifest[key] == value for key, value in info.items()):
        return
    if path.exists():
        remove(path)
    remove_leftovers(path.parent)
    indices = {campaign.pool.image_id(i): i for i in range(len(campaign.pool))}
    images = {}
    with seal(path) as writer, unnoticed(model):
        for i, image_id in enumerate(info['order']):
            image = _image(campaign, indices[image_id], image_id, number)
            belief = believe(model, campaign.pool, image)
            for name, content in _files(belief, image):
                writer.add(f'{i:02d}_{name}', content)
            wrong = count_wrong(belief.pseudo.numpy(), store, number, image_id)
            images[image_id] = dict(name=f'{i:02d}', **wrong)
            if truth is not None:
                truth.compare(model, image, belief)
        writer.info = dict(info, images=images, quality=truth.compute() if truth else {})


class Truth:
    """Ground truth that is hidden from the training; measures what the network believed.

    Args:
        dataset: Images of the pool with their masks, resized like the pool's.
        num_classes: K.
    """

    def __init__(self, dataset, num_classes: int) -> None:
        check_orientations(dataset)
        self.dataset, self.quality, self.measured = dataset, PseudoLabelQuality(num_classes), 0
        paths = (dataset.get_data_info(i)['img_path'] for i in range(len(dataset)))
        self.indices = {osp.abspath(path): i for i, path in enumerate(paths)}

    def compare(self, model: nn.Module, image: PoolImage, belief: Belief) -> None:
        """Counts an image that has a mask and a refinement.

        Raises:
            UserError: The masks are resized unlike the pool's images.
        """
        index = self.indices.get(osp.abspath(image.path))
        if index is None or belief.flagged is None:
            return
        height, width = belief.pseudo.shape
        truth = load_image(model, self.dataset, index)[1].cpu()[:, :height, :width]
        if truth.shape[1:] != belief.pseudo.shape:
            raise UserError(
                f'ReportHook.truth shows {image.image_id} as {tuple(truth.shape[1:])}, the pool '
                f'as {(height, width)} (height, width): give it the pipeline of the test images'
            )
        maps: tuple[Tensor, ...] = belief.pseudo, belief.refined, belief.flagged, belief.known
        before, after, flagged, known = (part[None] for part in maps)
        self.quality.update(before, after, flagged, truth, known)
        self.measured += 1

    def compute(self) -> dict[str, float]:
        """Figures in percent, see ``PseudoLabelQuality``, and how many images they are of."""
        return dict(self.quality.compute(), images=self.measured) if self.measured else {}


def count_wrong(
    pseudo: np.ndarray, store: RoundStore, number: int, image_id: str
) -> dict[str, int]:
    """How many of the answered pixels had a wrong label before.

    Args:
        pseudo: ``(h, w)`` class ids of any size.
        store: Holds the answer, if there is one.
        number: Number of the round.
        image_id: Id of the image.

    Returns:
        dict[str, int]: ``known`` (answered with a class) and ``wrong``.
    """
    if store.state(number) != 'answered' or image_id not in store.answer(number).images:
        return dict(known=0, wrong=0)
    answer = store.answer(number).labels(image_id)
    rows, columns = np.nonzero(answer != IGNORE_INDEX)
    (height, width), (native_height, native_width) = pseudo.shape, answer.shape
    before = pseudo[rows * height // native_height, columns * width // native_width]
    return dict(known=len(rows), wrong=int((before != answer[rows, columns]).sum()))


def _image(campaign: Campaign, index: int, image_id: str, number: int) -> PoolImage:
    """An image of the pool with the labels that were known before a round."""
    image = campaign.pool.image(index)
    return replace(image, asked=None, manual=campaign.store.manual(image_id, range(number)))


def _files(belief: Belief, image: PoolImage) -> Iterator[tuple[str, bytes]]:
    size = small_size(image.size)
    yield 'image.jpg', small_picture(image.picture(), size)
    pseudo = small_labels(belief.pseudo.numpy().astype(np.uint8), size)
    yield 'pseudo.png', encode_labels(pseudo)
    if belief.flagged is None:
        return
    errors = np.where(belief.flagged.numpy(), OPEN, IGNORE_INDEX).astype(np.uint8)
    errors[belief.corrected.numpy()] = DECIDED
    yield 'errors.png', encode_labels(small_labels(errors, size))
    refined = small_labels(belief.refined.numpy().astype(np.uint8), size)
    yield 'refined.png', encode_labels(np.where(refined != pseudo, refined, IGNORE_INDEX))


def _folder(work_dir: Path, number: int) -> Path:
    return work_dir / FOLDER / f'round_{number:03d}'
