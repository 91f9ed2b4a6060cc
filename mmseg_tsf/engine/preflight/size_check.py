"""Whether the sizes of images, crops and patches fit each other."""

from __future__ import annotations

from collections.abc import Iterator

from mmseg.datasets.transforms import RandomCrop
from torch import nn

from ...datasets.wrappers import parts_of
from ...utils.errors import UserError

BRANCHES = ('labelled', 'unlabelled')


def check_crop(model, dataset) -> None:
    """Checks that crops fit into the padded size, and that no pipeline pads before.

    Raises:
        UserError: Names the two keys.
    """
    size = getattr(model.data_preprocessor.data_preprocessor, 'size', None)
    for branch, step in _transforms(dataset):
        if type(step).__name__ == 'Pad' and branch == 'unlabelled':
            raise UserError(
                'the unlabelled pipeline has a Pad, and a pseudo-label on padding cannot be '
                'told from one on an image: take it out and set data_preprocessor.size, '
                'which pads as well'
            )
        if size is None or not isinstance(step, RandomCrop):
            continue
        crop = step.crop_size
        if crop[0] > size[0] or crop[1] > size[1]:
            raise UserError(
                f'the {branch} pipeline crops {tuple(crop)}, data_preprocessor.size is '
                f'{tuple(size)}: a crop must fit into the padded image, set them alike'
            )


def check_patches(model, dataset) -> None:
    """Checks that images divide into the patches of backbones that do not pad them.

    Such a backbone has a ``patch_size``, an integer or height and width, and no adaptive padding
    in its ``patch_embed``. Images of training have the size to which the preprocessor pads them,
    or that of a crop; windows of sliding inference have ``test_cfg.crop_size``.

    Raises:
        UserError: Names the network and the key with the wrong size.
    """
    sizes = _training_sizes(model, dataset)
    for name in model.learners:
        network = getattr(model, name)
        patch = _patch_of(network.backbone)
        own = dict(sizes)
        if (network.test_cfg or {}).get('mode') == 'slide':
            own['test_cfg.crop_size'] = tuple(network.test_cfg.crop_size)
        for key, (height, width) in own.items():
            if height % patch[0] or width % patch[1]:
                raise UserError(
                    f'{key} is {(height, width)}, which does not divide into the patches of '
                    f'{patch[0]}x{patch[1]} pixels of the {name}: set it and crop_size to '
                    'multiples'
                )


def _training_sizes(model, dataset) -> dict[str, tuple[int, int]]:
    """Known sizes of images in training, by the key that sets them."""
    preprocessor = model.data_preprocessor.data_preprocessor
    size = getattr(preprocessor, 'size', None)
    if size is not None:
        return {'data_preprocessor.size': tuple(size)}
    divisor = getattr(preprocessor, 'size_divisor', None) or 1
    return {
        f'crop_size of the {branch} pipeline, padded to multiples of {divisor},': tuple(
            -(-side // divisor) * divisor for side in step.crop_size
        )
        for branch, step in _transforms(dataset)
        if isinstance(step, RandomCrop)
    }


def _patch_of(backbone: nn.Module) -> tuple[int, int]:
    """Height and width of the patches that images must divide into; 1 where any size will do."""
    patch = getattr(backbone, 'patch_size', 1)
    if getattr(getattr(backbone, 'patch_embed', None), 'adap_padding', None) is not None:
        return 1, 1
    return (patch, patch) if isinstance(patch, int) else tuple(patch)


def _transforms(dataset) -> Iterator[tuple[str, object]]:
    """Transforms of the pipelines of both branches, with the branch."""
    for branch in BRANCHES:
        own = getattr(dataset, branch, None)
        for part in parts_of(own) if own is not None else ():
            for step in getattr(part.pipeline, 'transforms', ()):
                yield branch, step
