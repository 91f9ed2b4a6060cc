"""One reading of an image for loader, checks, pool, annotators and pictures."""

import io
from functools import partial

import cv2
import numpy as np
import pytest
from mmseg.datasets import BaseSegDataset
from mmseg.registry import TRANSFORMS
from PIL import Image, ImageOps, PngImagePlugin
from tiny_runs import part_cfg, semi_dataset_cfg

from mmseg_tsf.datasets import SemiDataset
from mmseg_tsf.datasets.checks import check_masks, check_orientations
from mmseg_tsf.datasets.image_reading import ImageReader, check_same_reading
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.image_header import ORIENTATION, is_shown_alike, read_header

# what the EXIF standard says that a viewer has to do with the stored rows
TURN = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}
STORED = [dict(type='LoadImageFromFile', color_type='color_ignore_orientation')]
LOADERS = {
    'cv2': (dict(), True),
    'pillow': (dict(imdecode_backend='pillow'), True),
    'ignoring': (dict(color_type='color_ignore_orientation'), False),
    'unchanged': (dict(color_type='unchanged'), False),
}


def stored(size=(20, 30)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


def write(path, pixels, orientation=None, **options):
    exif = Image.Exif()
    if orientation:
        exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(path, exif=exif, **options)
    return dict(img_path=str(path))


@pytest.mark.parametrize('orientation', [None, *TURN])
@pytest.mark.parametrize('loader', LOADERS)
def test_size_and_pixels_are_those_that_the_loader_shows(tmp_path, orientation, loader):
    options, turns = LOADERS[loader]
    info = write(tmp_path / 'x.png', stored(), orientation)
    reader = ImageReader([dict(type='LoadImageFromFile', **options)])
    expected = TURN[orientation or 1](stored()) if turns else stored()
    for _ in range(2):  # the second time from what it has learnt
        assert reader.size(info) == expected.shape[:2]
    assert np.array_equal(reader.picture(info)[..., ::-1], expected)
    loaded = TRANSFORMS.build(dict(type='LoadImageFromFile', **options))(dict(info))['img']
    assert np.array_equal(reader.pixels(info), loaded)
    assert is_shown_alike(info['img_path']) == (orientation in (None, 1))


@pytest.mark.parametrize('suffix', ['jpg', 'tif', 'webp'])
@pytest.mark.parametrize('orientation', [1, 3, 6])
def test_formats_keep_their_orientation_in_different_places(tmp_path, suffix, orientation):
    info = write(tmp_path / f'x.{suffix}', stored(), orientation)
    with Image.open(info['img_path']) as image:
        turned = ImageOps.exif_transpose(image)
    reader = ImageReader()
    assert reader.size(info) == turned.size[::-1] == reader.pixels(info).shape[:2]
    assert read_header(info['img_path'])[:2] == ((20, 30), orientation)


def test_a_png_is_not_decoded_to_find_its_orientation(tmp_path, monkeypatch):
    text = PngImagePlugin.PngInfo()
    text.add_text('Software', 'a painter')
    plain = write(tmp_path / 'plain.png', stored(), pnginfo=text)
    turned = write(tmp_path / 'turned.png', stored(), 6)
    raw = (tmp_path / 'turned.png').read_bytes()
    start = raw.index(b'eXIf') - 4
    chunk = raw[start : start + 12 + int.from_bytes(raw[start : start + 4], 'big')]
    end = raw.index(b'IEND') - 4
    late = raw[:start] + raw[start + len(chunk) : end] + chunk + raw[end:]
    (tmp_path / 'late.png').write_bytes(late)  # behind the pixels
    assert read_header(str(tmp_path / 'late.png'))[1] == read_header(turned['img_path'])[1] == 6
    monkeypatch.setattr(PngImagePlugin.PngImageFile, 'load', None)
    assert read_header(plain['img_path'])[1] == 1


def test_damaged_metadata_leave_an_image_upright(tmp_path):
    path = tmp_path / 'x.png'
    Image.fromarray(stored()).save(path, exif=b'Exif\x00\x00MM\x00*\xff\xff\xff\xff')
    assert read_header(str(path))[1] == 1
    write(path, stored(), 77)
    assert read_header(str(path))[1] == 1


def test_images_that_pillow_cannot_open_are_read_by_their_loader(tmp_path):
    bands = np.random.default_rng(0).normal(size=(6, 7, 5)).astype(np.float32)
    np.save(tmp_path / 'x.npy', bands)
    info = dict(img_path=str(tmp_path / 'x.npy'))
    reader = ImageReader([dict(type='LoadImageFromNpyFile')]) if _has_npy_loader() else None
    reader = reader or ImageReader([_load_npy])
    assert reader.size(info) == (6, 7)
    assert np.array_equal(reader.pixels(info), bands)
    picture, first = reader.picture(info), bands[..., :3].astype(np.float64)
    expected = (first - first.min()) / (first.max() - first.min()) * 255
    assert picture.dtype == np.uint8 and np.abs(picture - expected).max() <= 1
    grey = ImageReader([lambda results: dict(results, img=np.full((4, 5), 3.0))])
    assert (grey.picture(info) == 3).all() and grey.picture(info).shape == (4, 5, 3)
    (tmp_path / 'x.npy').write_bytes(b'no array')
    with pytest.raises(UserError, match=r'x.npy cannot be read: replace it'):
        reader.size(info)


def _load_npy(results):
    return dict(results, img=np.load(results['img_path']))


def _has_npy_loader():
    return TRANSFORMS.get('LoadImageFromNpyFile') is not None


class TestMasks:
    """A mask is used in the reading that it fits, or refused by name."""

    def dataset(self, root, pipeline=None):
        cfg = part_cfg(root, 'labelled.txt', pipeline)
        cfg.pop('type')
        return BaseSegDataset(**cfg)

    def put(self, root, size, orientation, mask_size):
        write(root / 'img/frame_2.png', stored(size), orientation)
        Image.fromarray(np.zeros(mask_size, np.uint8)).save(root / 'ann/frame_2.png')

    @pytest.mark.parametrize(
        ('size', 'orientation', 'mask_size', 'loader', 'sentence'),
        [
            ((20, 30), 6, (30, 20), None, None),
            ((20, 30), 6, (20, 30), STORED, None),
            ((20, 30), 1, (20, 30), None, None),
            ((30, 30), 77, (30, 30), None, None),
            ((30, 30), 6, (30, 30), STORED, None),
            ((20, 30), 6, (20, 30), None, 'is 30x20 pixels.*fits another reading of the EXIF'),
            ((20, 30), 6, (30, 20), STORED, 'is 20x30 pixels.*fits another reading of the EXIF'),
            ((30, 30), 6, (30, 30), None, 'orientation 6, and its mask .*frame_2.png fits both'),
            ((20, 30), 2, (20, 30), None, 'orientation 2, and its mask .*frame_2.png fits both'),
            ((20, 30), 3, (20, 30), None, 'rewrite the image without its EXIF orientation'),
            ((20, 30), 6, (9, 9), None, 'they must have the same size'),
        ],
    )
    def test_one_or_both_readings(
        self, own_data_root, size, orientation, mask_size, loader, sentence
    ):
        self.put(own_data_root, size, orientation, mask_size)
        dataset = self.dataset(own_data_root, loader)
        for check in (partial(check_masks, name='key'), check_orientations):
            if sentence is None:
                check(dataset)
            else:
                with pytest.raises(UserError, match=sentence):
                    check(dataset)

    def test_training_shows_a_turned_image_with_its_turned_mask(self, own_data_root):
        """The mask is a function of the image, so a wrong reading would be seen."""
        pixels = stored((32, 40))
        write(own_data_root / 'img/frame_0.png', pixels, 6)
        turned = TURN[6](pixels)
        Image.fromarray((turned[..., 0] // 64).copy()).save(own_data_root / 'ann/frame_0.png')
        (own_data_root / 'labelled.txt').write_text('frame_0\n')
        dataset = SemiDataset(**{k: v for k, v in _semi(own_data_root).items() if k != 'type'})
        for index in range(4):
            item = dataset[index]
            red = item['inputs']['labelled'][2].numpy()
            assert np.array_equal(item['data_samples']['labelled'].gt_sem_seg.data[0], red // 64)

    def test_manual_labels_of_a_square_image_may_be_of_either_reading(self, own_data_root):
        folder = own_data_root / 'manual'
        folder.mkdir()
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(folder / 'frame_7.png')
        write(own_data_root / 'img/frame_7.png', stored((32, 32)))
        options = {k: v for k, v in _semi(own_data_root).items() if k != 'type'}
        dataset = SemiDataset(**options, manual_labels=str(folder))
        write(own_data_root / 'img/frame_7.png', stored((32, 32)), 3)
        with pytest.raises(UserError, match='orientation 3, and its mask .*manual/frame_7.png'):
            SemiDataset(**options, manual_labels=str(folder))
        dataset.set_manual_labels(str(folder))  # a campaign's own are of the pipeline's reading


def _semi(root):
    return semi_dataset_cfg(root)


def test_pipelines_that_turn_an_image_differently_are_noticed(tmp_path):
    infos = [write(tmp_path / f'{i}.jpg', stored(), o) for i, o in enumerate((1, 6, 6))]
    check_same_reading(infos, ImageReader(), ImageReader())
    check_same_reading(infos[:1], ImageReader(), ImageReader(STORED))
    with pytest.raises(UserError, match='1.jpg has an EXIF orientation, and the pipelines'):
        check_same_reading(infos, ImageReader(), ImageReader(STORED))


def test_a_jpeg_through_opencv_is_what_viewers_show(tmp_path):
    info = write(tmp_path / 'x.jpg', cv2.GaussianBlur(stored(), (0, 0), 3), 8, quality=95)
    shown = ImageReader().picture(info)[..., ::-1].astype(int)
    buffer = io.BytesIO((tmp_path / 'x.jpg').read_bytes())
    with Image.open(buffer) as image:
        expected = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    assert np.abs(shown - expected).mean() < 2
