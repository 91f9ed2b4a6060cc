"""A batch that crosses to another process comes out as it went in, on one buffer."""

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from tiny_runs import semi_dataset_cfg
from torch.utils.data import DataLoader, Dataset

from mmseg_tsf.datasets import SemiDataset
from mmseg_tsf.datasets.packed_batch import PackedBatch, pack, unpack


def sample(i: int) -> PackedBatch:
    label = torch.full((1, 3, 5), i, dtype=torch.int64)
    data = SegDataSample(gt_sem_seg=PixelData(data=label), metainfo=dict(img_path=f'{i}.png'))
    odd = torch.arange(7 * i, dtype=torch.uint8)  # none in the first
    parts = dict(labelled=torch.randn(3, 5)[:, ::2] + i, odd=odd, flag=torch.tensor(i > 0))
    return PackedBatch(inputs=parts, data_samples=dict(labelled=data), number=i)


class Three(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        torch.manual_seed(index)
        return sample(index)


def storages(batch: dict) -> set[int]:
    tensors = [t for items in batch['inputs'].values() for t in items]
    tensors += [s.gt_sem_seg.data for s in batch['data_samples']['labelled']]
    return {tensor.untyped_storage().data_ptr() for tensor in tensors if tensor.numel()}


@pytest.mark.parametrize('workers', [0, 2])
def test_what_a_worker_sends_is_what_it_made(workers):
    loader = DataLoader(Three(), batch_size=3, num_workers=workers, collate_fn=pseudo_collate)
    (batch,) = loader
    assert type(batch) is PackedBatch and batch['number'] == [0, 1, 2]
    for i in range(3):
        torch.manual_seed(i)
        expected = sample(i)
        for name, tensor in expected['inputs'].items():
            found = batch['inputs'][name][i]
            assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
            assert torch.equal(found, tensor)
        found, own = batch['data_samples']['labelled'][i], expected['data_samples']['labelled']
        assert torch.equal(found.gt_sem_seg.data, own.gt_sem_seg.data)
        assert found.img_path == f'{i}.png'
    assert (len(storages(batch)) == 1) == (workers > 0)


def test_tensors_that_need_a_gradient_stay_what_they_are():
    weight = torch.nn.Parameter(torch.ones(2))
    function, (pickled, buffer, places) = pack(PackedBatch(weight=weight, plain=torch.ones(2)))
    assert function is unpack
    found = unpack(pickled, buffer, places)
    assert found['weight'].requires_grad and torch.equal(found['weight'], weight)
    assert found['plain'].untyped_storage().data_ptr() == buffer.untyped_storage().data_ptr()


def test_pairs_come_on_one_buffer(data_root):
    options = semi_dataset_cfg(data_root, paste_prob=0.5)
    options.pop('type')
    dataset = SemiDataset(**options)
    assert type(dataset[0]) is type(dataset.load_partner(0, 1, (0, 0))) is PackedBatch
    loader = DataLoader(dataset, batch_size=4, num_workers=1, collate_fn=pseudo_collate)
    batch = next(iter(loader))
    assert set(batch['inputs']) == {'labelled', 'unlabelled', 'paste'}
    assert len(storages(batch)) == 1
