"""Small copies of images: their values, and that a killed process goes on."""

import numpy as np
import pytest
import torch
from query_runs import make_pool

from mmseg_tsf.active_learning.pool.small_copies import SmallCopies, squeeze
from mmseg_tsf.utils.errors import StoreError


def test_a_pixel_is_the_mean_over_its_area():
    image = np.random.default_rng(0).integers(0, 256, (3, 6, 12), dtype=np.uint8)
    found = squeeze(torch.from_numpy(image), 3)
    for channel, y, x in np.ndindex(3, 3, 3):
        area = image[channel, 2 * y : 2 * y + 2, 4 * x : 4 * x + 4].astype(np.float64)
        assert abs(found[channel, y, x] - area.mean()) <= 0.5


def test_all_images_of_the_pools_in_turn(data_root, tmp_path):
    pools = [make_pool(data_root, ann_file='labelled.txt'), make_pool(data_root)]
    found = SmallCopies(pools, 16, 0).write(tmp_path / 'copies', 0, lambda: None)
    assert found.shape == (12, 3, 16, 16) and isinstance(found, np.memmap)
    for place, (pool, index) in {0: (0, 0), 4: (0, 4), 5: (1, 0), 11: (1, 6)}.items():
        assert np.array_equal(found[place], squeeze(pools[pool].load(index)['inputs'], 16))


def test_a_killed_process_goes_on(data_root, tmp_path):
    copies = SmallCopies([make_pool(data_root)], 16, 0)
    whole = np.array(copies.write(tmp_path / 'whole', 0, lambda: None))
    read = []

    def die_in_the_fifth():
        read.append(1)
        if len(read) == 5:
            raise KeyboardInterrupt

    path = tmp_path / 'copies'
    with pytest.raises(KeyboardInterrupt):
        copies.write(path, 0, die_in_the_fifth)
    with open(path, 'ab') as file:
        file.write(b'a part of the next')
    state, again = torch.random.get_rng_state(), []
    assert np.array_equal(copies.write(path, 1, lambda: again.append(1)), whole)
    assert len(again) == 2 and torch.equal(torch.random.get_rng_state(), state)


def test_a_full_disk_is_said(data_root, tmp_path, monkeypatch):
    copies = SmallCopies([make_pool(data_root)], 16, 0)

    def full(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('builtins.open', full)
    with pytest.raises(StoreError, match='copies cannot be written: the disk is full'):
        copies.write(tmp_path / 'copies', 0, lambda: None)
