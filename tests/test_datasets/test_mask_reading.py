"""Masks are read as MMSeg reads them, and values that it would change are refused."""

import numpy as np
import pytest
from mmcv.transforms import BaseTransform
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmseg_tsf.datasets.label_values import as_bytes, table_of
from mmseg_tsf.datasets.mask_reading import MaskReader
from mmseg_tsf.utils.errors import UserError


def read(path, pipeline=(), **info):
    return MaskReader(pipeline).class_ids(
        dict(seg_map_path=str(path), label_map=None, reduce_zero_label=False, **info)
    )


def stored(folder, values, name='mask.tif'):
    Image.fromarray(values).save(folder / name)
    return folder / name


@pytest.mark.parametrize(
    ('values', 'said'),
    [
        (np.array([[0, -9999]], np.int32), r'int32 and holds -9999'),
        (np.array([[0, 256]], np.int32), r'holds 256'),
        (np.array([[0, 1.5, 1]], np.float32), r'float32 and holds 1\.5'),
        (np.array([[0, np.nan]], np.float32), r'holds nan'),
        (np.array([[0, np.inf]], np.float32), r'holds inf'),
        (np.array([[-1, 0.25, 300, 7, 1000]], np.float32), r'holds -1, 0\.25, 300, \.\.\.'),
        (np.array([[0, 256, 65535]], np.uint16), r'uint16 and holds 256, 65535'),
    ],
)
def test_values_that_would_be_read_as_others(tmp_path, values, said):
    path = stored(tmp_path, values.repeat(2, axis=0))  # MMSeg squeezes what is one pixel high
    with pytest.raises(UserError, match=rf'mask .*mask\.tif has the type .*{said}, which is no'):
        read(path)
    with np.errstate(invalid='ignore'):
        silently = LoadAnnotations()(
            dict(seg_map_path=str(path), reduce_zero_label=False, seg_fields=[])
        )
    assert silently['gt_seg_map'].dtype == np.uint8  # what the check is for


@pytest.mark.parametrize('kind', [np.uint8, np.uint16, np.int32, np.float32, bool])
def test_whole_numbers_of_any_type_are_read(tmp_path, kind):
    values = np.array([[0, 1, 1], [1, 0, 0]] if kind is bool else [[0, 3, 255], [254, 2, 1]], kind)
    found = read(stored(tmp_path, values, 'mask.png' if kind is bool else 'mask.tif'))
    assert found.dtype == np.uint8 and np.array_equal(found, values)


def test_palettes_are_read_by_their_indices(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 255]], np.uint8), mode='P')
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(tmp_path / 'mask.png')
    assert read(tmp_path / 'mask.png').tolist() == [[0, 1], [2, 255]]


@pytest.mark.parametrize('reduce_zero_label', [False, True])
@pytest.mark.parametrize('label_map', [None, {0: 2, 1: 255, 2: 0, 3: 1}])
def test_ids_are_mapped_as_mmseg_maps_them(tmp_path, reduce_zero_label, label_map):
    path = stored(tmp_path, np.arange(256, dtype=np.uint8).reshape(16, 16), 'mask.png')
    info = dict(
        seg_map_path=str(path),
        label_map=label_map,
        reduce_zero_label=reduce_zero_label,
        seg_fields=[],
    )
    expected = LoadAnnotations()(dict(info))['gt_seg_map']
    assert np.array_equal(MaskReader().class_ids(info), expected)
    assert np.array_equal(table_of(info)[np.arange(256)].reshape(16, 16), expected)


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
def test_damaged_files(tmp_path, backend):
    (tmp_path / 'mask.png').write_bytes(b'no image')
    with pytest.raises(UserError, match=r'mask .*mask.png cannot be read \(.*\): replace it'):
        read(tmp_path / 'mask.png', [dict(type='LoadAnnotations', imdecode_backend=backend)])


@TRANSFORMS.register_module(force=True)
class LoadTable(LoadAnnotations):
    """Somebody's own loader, of files that no image library opens."""

    def _load_seg_map(self, results):
        results['gt_seg_map'] = np.load(results['seg_map_path'])


@TRANSFORMS.register_module(force=True)
class Nothing(BaseTransform):
    """A transform that does nothing."""

    def transform(self, results):
        return results


def test_the_loader_of_the_pipeline_is_used_wherever_it_stands(tmp_path):
    np.save(tmp_path / 'mask.npy', np.array([[1, 255]], np.int64))
    loader = dict(type='LoadTable')
    for pipeline in (
        [dict(type='Nothing'), loader],
        [dict(type='RandomApply', transforms=[dict(type='Nothing'), loader])],
        [TRANSFORMS.build(loader)],
    ):
        assert read(tmp_path / 'mask.npy', pipeline).tolist() == [[1, 255]]
    np.save(tmp_path / 'mask.npy', np.array([[1, -9999]], np.int64))
    with pytest.raises(UserError, match='holds -9999'):
        read(tmp_path / 'mask.npy', [loader])
    np.save(tmp_path / 'mask.npy', np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(UserError, match='has 3 channels'):
        read(tmp_path / 'mask.npy', [loader])


def test_bytes_change_no_value():
    everything = np.arange(256)
    for kind in (np.int16, np.int64, np.float64, np.uint32):
        assert as_bytes(everything.astype(kind), 'x').tolist() == everything.tolist()


def test_a_loader_that_contradicts_its_data_set(tmp_path):
    """MMSeg ends with an assertion there."""
    path = stored(tmp_path, np.zeros((2, 2), np.uint8), 'mask.png')
    with pytest.raises(UserError, match='reduce_zero_label=True, but the data set of .*mask.png'):
        read(path, [dict(type='LoadAnnotations', reduce_zero_label=True)])
