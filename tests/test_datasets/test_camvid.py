"""``CamVidDataset`` on files generated here."""

import numpy as np
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_tsf.datasets.camvid import CamVidDataset


def write_data(root, image_suffix='.jpg'):
    for folder in ('images', 'masks'):
        (root / folder).mkdir()
    mask = np.arange(12, dtype=np.uint8).repeat(4).reshape(6, 8)
    mask[mask == 11] = 255
    for name in ('b', 'a'):
        Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(
            root / f'images/{name}{image_suffix}'
        )
        Image.fromarray(mask).save(root / f'masks/{name}.png')
    return mask


def build(root, **kwargs):
    prefix = dict(img_path=f'{root}/images', seg_map_path=f'{root}/masks')
    pipeline = [
        dict(type=name) for name in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')
    ]
    config = dict(type='CamVidDataset', data_prefix=prefix, pipeline=pipeline, **kwargs)
    return DATASETS.build(config)


def test_classes_and_palette():
    meta = CamVidDataset.METAINFO
    assert len(meta['classes']) == len(meta['palette']) == len(set(meta['classes'])) == 11
    assert len({tuple(colour) for colour in meta['palette']}) == 11
    assert meta['classes'].index('Bicyclist') == 10
    assert meta['palette'][meta['classes'].index('Road')] == [128, 64, 128]


def test_loads_ids_unchanged(tmp_path):
    mask = write_data(tmp_path)
    dataset = build(tmp_path)
    assert len(dataset) == 2
    sample = dataset[0]
    assert sample['data_samples'].img_path.endswith('a.jpg')
    # Sky stays class 0 and void stays 255.
    assert np.array_equal(sample['data_samples'].gt_sem_seg.data[0].numpy(), mask)


def test_list_and_suffix(tmp_path):
    write_data(tmp_path, '.png')
    (tmp_path / 'list.txt').write_text('b\n')
    dataset = build(tmp_path, ann_file=str(tmp_path / 'list.txt'), img_suffix='.png')
    assert len(dataset) == 1
    assert dataset[0]['data_samples'].img_path.endswith('images/b.png')
