"""A class id means the same in all data sets, through the stock wrappers."""

from types import SimpleNamespace

import pytest
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from tiny_runs import CLASSES, PALETTE, part_cfg, semi_dataset_cfg

from mmseg_tsf.datasets.label_meaning import LabelMeaning, check_same_labels, without_files
from mmseg_tsf.datasets.wrappers import leaf_configs, leaves
from mmseg_tsf.utils.errors import UserError


class FourKnown(BaseSegDataset):
    """MMSeg maps ids only where the type of the data set names all classes."""

    METAINFO = dict(classes=CLASSES, palette=PALETTE)


def named(classes, **more):
    return SimpleNamespace(metainfo=dict(classes=classes, **more))


@pytest.mark.parametrize(
    ('first', 'second', 'differs'),
    [
        (('a', 'b'), ('a', 'b'), ''),
        (('a', 'b'), ['a', 'b'], ''),
        (('c', 'b', 'a'), ('a', 'b', 'c'), 'classes'),
        (('a', 'b'), ('a', 'b', 'c'), 'classes'),
        (('a', 'b'), ('A', 'b'), 'classes'),
    ],
)
def test_class_names_and_their_order(first, second, differs):
    pair = dict(one=named(first), two=named(second))
    if not differs:
        check_same_labels(pair)
        return
    with pytest.raises(UserError, match='one has metainfo.classes=.* but two has') as error:
        check_same_labels(pair)
    assert all(name in str(error.value) for name in (*first, *second))


def test_zero_and_maps():
    pair = dict(one=named(('a', 'b'), reduce_zero_label=True), two=named(('a', 'b')))
    with pytest.raises(UserError, match='reduce_zero_label=True, but two has reduce_zero_label=F'):
        check_same_labels(pair)
    swapped = dict(one=named(('a', 'b'), label_map={0: 1, 1: 0}), two=named(('a', 'b')))
    with pytest.raises(UserError, match=r'label_map=\{0: 1, 1: 0\}, but two has label_map=None'):
        check_same_labels(swapped)


def test_maps_that_differ_only_where_masks_would_be_refused_are_equal():
    """Id 2 is void by the first and no class by the second, which check_masks refuses."""
    mapped = LabelMeaning(('a', 'b'), {0: 0, 1: 1, 2: 255}, False)
    plain = LabelMeaning(('a', 'b'), None, False)
    assert mapped.difference(plain) == plain.difference(mapped) == ''
    void = LabelMeaning(('a', 'b'), {0: 0, 1: 255}, False)
    assert void.difference(plain) == plain.difference(void) == 'label_map'


@pytest.mark.parametrize('metainfo', [{}, dict(classes=None), dict(classes=())])
def test_data_sets_without_classes(metainfo):
    nameless = SimpleNamespace(metainfo=metainfo)
    with pytest.raises(UserError, match=r'two names no classes: set its metainfo=dict\(classes'):
        check_same_labels(dict(one=named(('a',)), two=nameless))
    check_same_labels(dict(one=named(('a',)), two=nameless), may_be_unnamed=True)
    with pytest.raises(UserError, match='one names no classes'):
        check_same_labels(dict(one=nameless, two=named(('a',))), may_be_unnamed=True)


def wrapped(root, *others):
    """A repeated concatenation of a mixed data set and others, none of which needs its files."""
    mixed = dict(type='MultiImageMixDataset', dataset=part_cfg(root, 'labelled.txt'), pipeline=[])
    return dict(
        type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[mixed, *others])
    )


def test_wrappers_are_looked_into(data_root):
    cfg = wrapped(data_root, part_cfg(data_root, 'unlabelled.txt'))
    keys = ['x.dataset.datasets.0.dataset', 'x.dataset.datasets.1']
    assert [key for key, _ in leaves(DATASETS.build(cfg), 'x')] == keys
    assert [key for key, _ in leaf_configs(cfg, 'x')] == keys
    check_same_labels(dict(one=named(CLASSES), x=DATASETS.build(cfg)))
    other = part_cfg(data_root, 'none.txt')
    other['metainfo'] = dict(classes=CLASSES[::-1])
    lazy = without_files(wrapped(data_root, other), 'x')  # mmengine would refuse to build it
    with pytest.raises(UserError, match=r'x\.dataset\.datasets\.1 has metainfo'):
        check_same_labels(dict(one=named(CLASSES), **lazy))


def test_no_list_is_read_to_learn_the_classes(tmp_path):
    cfg = dict(type=FourKnown, ann_file='none.txt', metainfo=dict(classes=('car', 'sky')))
    (dataset,) = without_files(dict(cfg, test_mode=True), 'x').values()
    assert dataset.metainfo['label_map'] == {0: 255, 1: 1, 2: 0, 3: 255}
    (dataset,) = without_files(dict(type='BaseSegDataset', test_mode=True), 'x').values()
    assert LabelMeaning.of(dataset.metainfo) is None


class TestSemiDataset:
    """Labelled and unlabelled images are compared when they are built."""

    def check(self, root, sentence, branch='unlabelled', **change):
        cfg = semi_dataset_cfg(root)
        cfg[branch] = {**cfg[branch], **change}
        with pytest.raises(UserError, match=sentence):
            DATASETS.build(cfg)

    def test_another_order(self, data_root):
        sentence = r"labelled has metainfo.classes=\('road', .*, but SemiDataset.unlabelled has"
        self.check(data_root, sentence, metainfo=dict(classes=CLASSES[::-1]))

    def test_another_zero(self, data_root):
        sentence = 'reduce_zero_label=False, but SemiDataset.unlabelled has reduce_zero_label=True'
        self.check(data_root, sentence, reduce_zero_label=True)

    def test_no_names(self, data_root):
        self.check(data_root, 'SemiDataset.labelled names no classes', 'labelled', metainfo=None)

    def test_parts_of_a_wrapper(self, data_root):
        other = {**part_cfg(data_root, 'labelled.txt'), 'metainfo': dict(classes=CLASSES[::-1])}
        cfg = semi_dataset_cfg(data_root, labelled=wrapped(data_root, other))
        with pytest.raises(UserError, match=r'datasets.0.dataset has .* but .*datasets.1 has'):
            DATASETS.build(cfg)

    def test_a_pool_may_have_no_names(self, data_root):
        cfg = semi_dataset_cfg(data_root)
        del cfg['unlabelled']['metainfo']
        assert len(DATASETS.build(cfg)) == 7
