"""How labels and masks reach other grids."""

import torch

from mmseg_tsf.models.utils.grid import labels_to_grid, nearest, resize_nearest, thinned


def test_sparse_labels_reach_the_grid():
    generator = torch.Generator().manual_seed(0)
    labels = torch.full((2, 37, 50), 255)  # no multiple of the grid
    where = torch.rand(2, 37, 50, generator=generator) < 0.05
    labels[where] = torch.randint(4, (int(where.sum()),), generator=generator)
    size = (9, 12)
    found = labels_to_grid(labels, size, 4)
    cells: dict[tuple[int, int, int], list[int]] = {}
    for i, row, column in where.nonzero().tolist():
        cell = (i, row * 9 // 37, column * 12 // 50)
        cells.setdefault(cell, []).append(int(labels[i, row, column]))
    expected = torch.full((2, *size), 255)
    for cell, own in cells.items():
        expected[cell] = min(sorted(set(own)), key=lambda k: -own.count(k))
    assert torch.equal(found, expected)
    one = torch.full((1, 64, 64), 255)
    one[0, 13, 62] = 3
    assert (labels_to_grid(one, (4, 4), 4) == 3).nonzero().tolist() == [[0, 0, 3]]
    assert labels_to_grid(one, (64, 64), 4) is one


def test_nearest_takes_the_pixel_at_the_centre_of_the_cell():
    values = torch.arange(6 * 9).view(1, 6, 9)
    assert nearest(values, (2, 3)).tolist() == [[[10, 13, 16], [37, 40, 43]]]
    assert torch.equal(nearest(values, (12, 18))[:, ::2, 1::2], values)
    mask = torch.rand(2, 7, 11) < 0.5
    exact = torch.nn.functional.interpolate(mask[:, None].float(), (5, 6), mode='nearest-exact')
    assert torch.equal(nearest(mask, (5, 6)), exact[:, 0].bool())


def test_resized_labels_and_masks_take_the_first_pixel_of_the_cell():
    values = torch.arange(6 * 9).view(1, 6, 9)
    found = resize_nearest(values, (4, 3))
    assert found.tolist() == [[[0, 3, 6], [9, 12, 15], [27, 30, 33], [36, 39, 42]]]
    assert found.dtype == torch.int64
    mask = resize_nearest(values % 2 == 0, (2, 2))
    assert mask.tolist() == [[[True, True], [False, False]]]


def test_thinned_masks_are_spread_evenly():
    mask = torch.rand(2, 40, 40, generator=torch.Generator().manual_seed(0)) < 0.5
    found = thinned(mask, 100)
    assert not (found & ~mask).any() and 100 <= found.sum() <= 110
    assert torch.equal(thinned(mask, 10**6), mask)
