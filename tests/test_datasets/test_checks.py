"""Bad input ends in one sentence, before training."""

import shutil

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image
from tiny_runs import part_cfg, semi_dataset_cfg

from mmseg_tsf.utils.errors import UserError


def build(root, **options):
    return DATASETS.build(semi_dataset_cfg(root, **options))


FOLDERS = dict(img_path='img', seg_map_path='ann')


def two_classes(root, ids, folder='ann'):
    """Writes other ids into all masks of a folder."""
    for path in (root / folder).glob('*.png'):
        mask = np.asarray(Image.open(path))
        table = np.array([ids.get(i, 255) for i in range(256)], np.uint8)
        Image.fromarray(table[mask]).save(path)


def two(root):
    """The two halves of a data set with two classes."""
    metainfo = dict(classes=('wall', 'crack'), palette=[[0, 0, 0], [255, 0, 0]])
    return {
        part: {**part_cfg(root, f'{part}.txt'), 'metainfo': metainfo}
        for part in ('labelled', 'unlabelled')
    }


def test_counts_are_those_of_all_masks(own_data_root):
    two_classes(own_data_root, {0: 0, 1: 1, 2: 0, 3: 255})
    dataset = build(own_data_root, **two(own_data_root))
    masks = [np.asarray(Image.open(own_data_root / f'ann/frame_{i}.png')) for i in range(5)]
    for value in (0, 1, 2, 255):
        assert dataset.mask_counts.pixels[value] == sum((mask == value).sum() for mask in masks)
    assert dataset.mask_counts.masks == 5
    assert build(own_data_root, check_files=False, **two(own_data_root)).mask_counts is None


class TestRefusals:
    """Bad input ends in one sentence that names the file."""

    def check(self, root, sentence, **options):
        with pytest.raises(UserError, match=sentence):
            build(root, **options)

    @pytest.mark.parametrize('name', ['labelled.txt', 'unlabelled.txt'])
    def test_missing_list(self, own_data_root, name):
        (own_data_root / name).unlink()
        self.check(own_data_root, f'{name} does not exist')

    @pytest.mark.parametrize('name', ['labelled.txt', 'unlabelled.txt'])
    def test_empty_list(self, own_data_root, name):
        (own_data_root / name).write_text('\n')
        self.check(own_data_root, f'{name} is empty')

    def test_overlap(self, own_data_root):
        with (own_data_root / 'unlabelled.txt').open('a') as file:
            file.write('frame_3\n')
        self.check(own_data_root, r'1 image\(s\) are in both .* \(frame_3\)')

    def test_the_same_name_in_two_folders_is_two_images(self, own_data_root):
        (own_data_root / 'more').mkdir()
        shutil.copy(own_data_root / 'img' / 'frame_3.png', own_data_root / 'more')
        (own_data_root / 'unlabelled.txt').write_text('frame_3\n')
        unlabelled = part_cfg(own_data_root, 'unlabelled.txt')
        unlabelled['data_prefix']['img_path'] = str(own_data_root / 'more')
        assert len(build(own_data_root, unlabelled=unlabelled)) > 0

    @pytest.mark.parametrize('number', [1, 8])
    def test_image_without_file(self, own_data_root, number):
        (own_data_root / 'img' / f'frame_{number}.png').unlink()
        self.check(own_data_root, f'frame_{number}.png does not exist')

    def test_labelled_image_without_mask(self, own_data_root):
        (own_data_root / 'ann' / 'frame_2.png').unlink()
        sentence = 'mask of a labelled image .*frame_2.png does not exist'
        self.check(own_data_root, sentence)

    def test_labelled_data_without_mask_folder(self, own_data_root):
        labelled = part_cfg(own_data_root, 'labelled.txt')
        labelled['data_prefix'].pop('seg_map_path')
        labelled['data_prefix']['seg_map_path'] = None
        self.check(own_data_root, 'set data_prefix.seg_map_path', labelled=labelled)

    def test_mask_of_another_size(self, own_data_root):
        path = own_data_root / 'ann' / 'frame_4.png'
        Image.fromarray(np.zeros((40, 47), np.uint8)).save(path)
        self.check(own_data_root, 'frame_4.png is 47x40 pixels, its image 48x40')

    def test_class_ids_outside_the_classes(self, own_data_root):
        path = own_data_root / 'ann' / 'frame_0.png'
        mask = np.asarray(Image.open(path)).copy()
        mask[0, :2] = (4, 200)
        mask[1] = 255
        Image.fromarray(mask).save(path)
        self.check(own_data_root, r'frame_0.png has the class ids \[4, 200\], but there are 4')

    def test_an_image_in_both_parts(self, own_data_root):
        """The overlap is found whatever the lists and the folder are called."""
        whole = part_cfg(own_data_root, '')
        self.check(own_data_root, '5 images are both labelled and unlabelled', unlabelled=whole)

    @pytest.mark.parametrize('mode', ['RGB', 'LA'])
    def test_mask_of_several_channels(self, own_data_root, mode):
        path = own_data_root / 'ann' / 'frame_4.png'
        Image.open(path).convert(mode).save(path)
        self.check(own_data_root, f'frame_4.png has {len(mode)} channels, not one with class ids')

    @pytest.mark.parametrize('content', [0.5, b'no image'])
    def test_damaged_mask(self, own_data_root, content):
        path = own_data_root / 'ann' / 'frame_4.png'
        whole = path.read_bytes()
        path.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
        self.check(own_data_root, r'mask .*frame_4.png cannot be read \(.*\): replace it')

    @pytest.mark.parametrize('name', ['frame_4', 'frame_9'])
    def test_image_that_is_none(self, own_data_root, name):
        (path,) = (own_data_root / 'img').glob(f'{name}.*')
        path.write_bytes(b'no image')
        self.check(own_data_root, rf'image .*{name}\.\w+ cannot be read: replace it')

    def test_unlabelled_masks_are_not_looked_at(self, own_data_root):
        path = own_data_root / 'ann' / 'frame_9.png'
        Image.fromarray(np.full((3, 3), 77, np.uint8)).save(path)
        assert len(build(own_data_root)) == 7

    @pytest.mark.parametrize('part', ['labelled', 'unlabelled'])
    def test_folder_without_images(self, own_data_root, part):
        """Zero images without a list: the sampler would look for an index for ever."""
        (own_data_root / 'none').mkdir()
        cfg = part_cfg(own_data_root, '')
        cfg['data_prefix'] = dict.fromkeys(
            ('img_path', 'seg_map_path'), str(own_data_root / 'none')
        )
        self.check(own_data_root, part, **{part: cfg})

    def test_linked_folders_are_listed_as_mmseg_lists_them(self, own_data_root):
        """Images in a linked folder are found, one that links to itself is refused."""
        (own_data_root / 'all').mkdir()
        (own_data_root / 'all' / 'day').symlink_to(own_data_root / 'val_img')
        cfg = part_cfg(own_data_root, '')
        cfg['data_prefix'] = dict(img_path=str(own_data_root / 'all'))
        assert len(build(own_data_root, unlabelled=cfg)) == 3
        (own_data_root / 'val_img' / 'again').symlink_to(own_data_root / 'all')
        self.check(own_data_root, 'again is a link to a folder that holds it', unlabelled=cfg)

    def test_an_image_under_two_names_is_one(self, own_data_root):
        (own_data_root / 'all').mkdir()
        for name in ('a', 'b'):
            (own_data_root / 'all' / name).symlink_to(own_data_root / 'val_img')
        cfg = part_cfg(own_data_root, '')
        cfg['data_prefix'] = dict(img_path=str(own_data_root / 'all'))
        self.check(own_data_root, 'unlabelled has 3 images twice, under two names', unlabelled=cfg)

    def test_lists_of_wrapped_data_sets(self, own_data_root):
        """The overlap with the pool is found in each of them."""
        (own_data_root / 'more.txt').write_text('frame_4\nframe_8\n')
        parts = [part_cfg(own_data_root, name) for name in ('labelled.txt', 'more.txt')]
        cfg = dict(type='ConcatDataset', datasets=parts)
        self.check(
            own_data_root, r'in both .*more.txt and .*unlabelled.txt \(frame_8\)', labelled=cfg
        )
        (own_data_root / 'more.txt').unlink()
        self.check(own_data_root, 'more.txt does not exist', labelled=cfg)

    def test_masks_of_wrapped_data_sets(self, own_data_root):
        path = own_data_root / 'val_ann' / '1.png'
        Image.fromarray(np.full((40, 48), 4, np.uint8)).save(path)
        other = part_cfg(own_data_root, '')
        folders = {k: str(own_data_root / f'val_{v}') for k, v in FOLDERS.items()}
        other['data_prefix'] = folders
        parts = [part_cfg(own_data_root, 'labelled.txt'), other]
        inner = dict(type='ConcatDataset', datasets=parts)
        cfg = dict(type='RepeatDataset', times=3, dataset=inner)
        self.check(own_data_root, r'val_ann/1.png has the class ids \[4\]', labelled=cfg)

    def test_255_that_stands_for_a_class(self, own_data_root):
        two_classes(own_data_root, {0: 0, 1: 255, 2: 0, 3: 255})
        self.check(
            own_data_root, r'labelled: its 5 masks hold .*\(255 -> 1\)', **two(own_data_root)
        )

    def test_pipeline_without_packing(self, own_data_root):
        unlabelled = part_cfg(own_data_root, 'unlabelled.txt')
        unlabelled['pipeline'].pop()
        self.check(own_data_root, 'must end with PackSegInputs', unlabelled=unlabelled)


def spoiled_by_zero_label(root):
    """Masks with 0 = void and ids 1 to 4, read with ``reduce_zero_label`` and fewer classes."""
    shutil.rmtree(root / 'ann')
    (root / 'ann').mkdir()
    for name in (root / 'labelled.txt').read_text().split():
        mask = np.arange(5, dtype=np.uint8).repeat(8).reshape(40, 1).repeat(48, 1)
        Image.fromarray(mask).save(root / 'ann' / f'{name}.png')


def test_zero_label_is_reduced_before_classes_are_selected(own_data_root):
    """As MMSeg's LoadAnnotations does it: ids 1, 2 become classes 0, 1; the others are void."""
    spoiled_by_zero_label(own_data_root)
    names = ('road', 'sky', 'car', 'pole')
    kind = type('TinyNamed', (DATASETS.get('BaseSegDataset'),), {'METAINFO': dict(classes=names)})
    DATASETS.register_module(name='TinyNamed', module=kind, force=True)
    cfg = part_cfg(own_data_root, 'labelled.txt', reduce_zero_label=True)
    cfg.update(type='TinyNamed', metainfo=dict(classes=('road', 'sky')))
    dataset = build(own_data_root, labelled=cfg, unlabelled=None)
    label = dataset[5]['data_samples']['labelled'].gt_sem_seg.data
    assert set(label.unique().tolist()) <= {0, 1, 255}
