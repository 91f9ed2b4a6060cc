"""The pass over the pool: what is scored, and that it leaves no trace."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import REFINED, build_model, tiny_segmentor
from mmseg.models.utils import resize
from PIL import Image
from query_runs import STRATEGIES, make_model, make_pool, plain, request_masks, run_query
from torch import nn

from mmseg_tsf.active_learning.pool.pool_pass import score_pool, to_half
from mmseg_tsf.active_learning.pool.reader import batches_of_one_size
from mmseg_tsf.active_learning.selection.selection import select
from mmseg_tsf.active_learning.selection.selectors.pixels import PixelSelector
from mmseg_tsf.active_learning.strategies.base import QueryStrategy
from mmseg_tsf.active_learning.strategies.uncertainty import LeastConfidenceQuery
from mmseg_tsf.utils.errors import UserError


def scores_of(model, pool, strategy=None, **options) -> dict[int, np.ndarray]:
    """Scores by pool index."""
    strategy, selector = strategy or LeastConfidenceQuery(), PixelSelector()
    scored = score_pool(model, pool, strategy, selector.prepare, **options)
    return {image.image.index: image.scores for image in scored}


def preprocessed(model, pool, index):
    data = pool.load(index)
    batch = dict(inputs=[data['inputs']], data_samples=[data['data_samples']])
    return model.data_preprocessor(batch, False)['inputs']


def doubt(logits):
    return (1 - logits.softmax(dim=1).amax(dim=1))[0]


@pytest.mark.parametrize('network', ['teacher', 'student'])
def test_the_network_that_predicts_scores(data_root, network):
    model, pool = build_model('mt', test_cfg=dict(predict_on=network)), make_pool(data_root)
    found = scores_of(model, pool, batch_size=2)
    model.eval()
    with torch.no_grad():
        for index, scores in found.items():
            expected = doubt(getattr(model, network)(preprocessed(model, pool, index)))
            assert scores.dtype == np.float16
            np.testing.assert_allclose(scores, expected, rtol=2e-3)
    assert sorted(found) == list(range(7))


def test_a_model_comes_back_as_it_was(data_root):
    model = make_model()
    model.student.backbone.stem.eval()  # frozen by hand
    modes = [module.training for module in model.modules()]
    run_query(model, make_pool(data_root), 'margin')
    assert [module.training for module in model.modules()] == modes

    class Broken(QueryStrategy):
        def score(self, outputs):
            return outputs.confidence * float('nan')

    with pytest.raises(UserError, match='the scores of frame_5 are no numbers: the weights'):
        select(model, make_pool(data_root), Broken(), PixelSelector(), 3)
    assert [module.training for module in model.modules()] == modes


@pytest.mark.parametrize('num_workers', [0, 2])
def test_no_global_random_state_is_touched(data_root, num_workers):
    model, pool = make_model(), make_pool(data_root)
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    for name in ('random', 'seed', 'plar'):
        run_query(model, pool, name, num_workers=num_workers)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert before[2] == random.getstate()


@pytest.mark.parametrize('strategy', STRATEGIES)
def test_a_network_that_gives_no_numbers_is_said(data_root, strategy):
    """Also by strategies that compare, and so score what is no number as not wanted."""
    model = make_model()
    with torch.no_grad():
        model.teacher.decode_head.conv_seg.weight.fill_(float('nan'))
    with pytest.raises(UserError, match='the scores of frame_5 are no numbers: the weights'):
        run_query(model, make_pool(data_root), strategy)


@pytest.fixture
def mixed_pool(own_data_root):
    """Images of three sizes."""
    for number, size in ((5, (24, 20)), (8, (24, 20)), (9, (30, 34))):
        pixels = np.random.default_rng(number).integers(0, 256, (*size[::-1], 3), np.uint8)
        Image.fromarray(pixels).save(own_data_root / 'img' / f'frame_{number}.png')
    return make_pool(own_data_root)


def test_images_of_different_sizes_share_no_batch(mixed_pool):
    model = make_model()
    found = scores_of(model, mixed_pool, batch_size=3)
    assert [found[i].shape for i in range(7)] == [
        (10, 12), (20, 24), (20, 24), (10, 12), (17, 15), (20, 24), (20, 24),
    ]  # fmt: skip
    for name in ('entropy', 'plar', 'seed'):
        expected = plain(run_query(model, mixed_pool, name))
        assert plain(run_query(model, mixed_pool, name, batch_size=3)) == expected


def test_few_images_wait_however_many_sizes_there_are():
    def items():
        for number in range(1000):
            taken.append(number)
            yield SimpleNamespace(inputs=torch.empty(3, 1 + number % 97, 2))

    taken, given = [], 0
    for batch in batches_of_one_size(items(), 4):
        assert len({item.inputs.shape for item in batch}) == 1
        assert 0 < len(batch) <= 4
        given += len(batch)
        assert len(taken) - given <= 16
    assert given == 1000


def test_resized_images_are_asked_in_their_own_pixels(data_root):
    steps = (dict(type='Resize', scale=(24, 20), keep_ratio=False),)
    model, pool = make_model(), make_pool(data_root, steps=steps)
    (image, *_) = score_pool(model, pool, LeastConfidenceQuery())
    assert image.scores.shape == (10, 12)  # of 40x48 native pixels
    assert image.rows.tolist() == list(range(2, 40, 4))
    assert image.columns.tolist() == list(range(2, 48, 4))


def test_padding_for_the_network_is_never_asked(data_root):
    segmentor = tiny_segmentor()
    del segmentor['data_preprocessor']['size']
    segmentor['data_preprocessor']['test_cfg'] = dict(size_divisor=32)
    segmentor['data_preprocessor']['size_divisor'] = 32
    model, pool = make_model(segmentor=segmentor), make_pool(data_root)
    (image, *_) = score_pool(model, pool, LeastConfidenceQuery())
    assert image.scores.shape == (32, 32)  # 64x64, of which 40x48 are the image
    assert image.rows.tolist() == list(range(1, 65, 2))
    assert image.wanted.sum() == 20 * 24
    everything = run_query(model, pool, 'entropy', 10**6, selector=dict(type='PixelSelector'))
    assert len(everything) == 7
    for name in ('plar', 'seed'):
        assert run_query(model, pool, name)


def test_padding_takes_no_turn_of_the_seeds(mixed_pool):
    """Images that are padded differently are asked alike."""
    segmentor = tiny_segmentor()
    del segmentor['data_preprocessor']['size']
    segmentor['data_preprocessor']['test_cfg'] = dict(size_divisor=64)
    segmentor['data_preprocessor']['size_divisor'] = 64
    refinement = dict(REFINED['refinement'], min_confidence=0.999)
    model = make_model(segmentor=segmentor, refinement=refinement)
    selector = dict(type='PixelSelector', suppression=0)
    choices = run_query(model, mixed_pool, 'seed', 7 * 12, selector=selector)
    assert [len(choice.units) for choice in choices] == [12] * 7


def test_views_are_averaged_on_the_grid_of_the_first(data_root):
    model, pool = build_model('mt'), make_pool(data_root)
    found = scores_of(model, pool, flip=True, scales=(1.0, 0.5), batch_size=2)
    model.eval()
    images = preprocessed(model, pool, 4)
    probs = []
    with torch.no_grad():
        for view in (images, resize(images, (20, 24), mode='bilinear')):
            probs.append(model.teacher(view).softmax(dim=1))
            probs.append(model.teacher(view.flip(3)).softmax(dim=1).flip(3))
    mean = sum(resize(p, (20, 24), mode='bilinear') for p in probs) / 4
    np.testing.assert_allclose(found[4], (1 - mean.amax(dim=1))[0], rtol=2e-3)


def test_a_sliding_network_gives_a_quarter_of_its_grid(data_root):
    segmentor = tiny_segmentor()
    segmentor['test_cfg'] = dict(mode='slide', crop_size=(24, 32), stride=(8, 16))
    model, pool = build_model('mt', segmentor), make_pool(data_root)
    found = scores_of(model, pool, batch_size=2)[0]
    model.eval()
    images = preprocessed(model, pool, 0)
    with torch.no_grad():
        logits = model.teacher.slide_inference(images, [dict()])
    expected = doubt(nn.functional.interpolate(logits, (10, 12), mode='bilinear'))
    np.testing.assert_allclose(found, expected, rtol=2e-3)


def test_a_single_channel_is_two_classes(data_root):
    loss = dict(type='CrossEntropyLoss', use_sigmoid=True)
    segmentor = tiny_segmentor(num_classes=2, out_channels=1, threshold=0.5, loss_decode=loss)
    model, pool = build_model('mt', segmentor), make_pool(data_root)
    found = scores_of(model, pool)[0]
    model.eval()
    with torch.no_grad():
        probability = model.teacher(preprocessed(model, pool, 0)).sigmoid()[0, 0]
    np.testing.assert_allclose(found, torch.minimum(probability, 1 - probability), rtol=2e-3)


def test_features_come_on_demand(data_root):
    class Features(QueryStrategy):
        needs = ('features',)

        def score(self, outputs):
            seen.append([feature.shape[1] for feature in outputs.features])
            return outputs.confidence

    seen = []
    scores_of(make_model(), make_pool(data_root), Features())
    assert seen == [[8, 12]] * 7  # of the decode head's and the backbone's convolutions
    seen.clear()
    scores_of(make_model(), make_pool(data_root))
    assert seen == []


def test_scores_too_large_for_half_precision_are_kept_finite():
    scores = torch.tensor([1e9, -1e9, -float('inf'), 0.5])
    assert to_half(scores).tolist() == [65504, -65504, -float('inf'), 0.5]


def test_turned_photographs_are_asked_as_the_pipeline_shows_them(own_data_root):
    path = own_data_root / 'img' / 'frame_5.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.new('RGB', (48, 40)).save(path, exif=exif)
    (own_data_root / 'one.txt').write_text('frame_5\n')
    pool = make_pool(own_data_root, ann_file='one.txt', img_suffix='.jpg')
    assert pool.size(0) == pool.image(0).size == (48, 40) == pool.picture(0).shape[:2]
    (choice,) = run_query(make_model(), pool, 'random')
    assert request_masks(pool, [choice])[0].shape == (48, 40)


def test_a_loader_that_shows_another_size_than_the_header_is_refused(own_data_root):
    pool = make_pool(own_data_root)
    half = pool.dataset.pipeline.transforms[0]
    pool.dataset.pipeline.transforms[0] = lambda info: _halved(half(info))
    with pytest.raises(UserError, match='in its header and .* when loaded: rewrite it without'):
        run_query(make_model(), pool, 'random')


def _halved(results):
    image = results['img'][::2, ::2]
    return dict(results, img=image, ori_shape=image.shape[:2], img_shape=image.shape[:2])


@pytest.mark.parametrize(
    ('strategy', 'options', 'message'),
    [
        ('plar', dict(flip=True), 'PLARQuery needs features, which have no average over views'),
        ('entropy', dict(scales=()), r'scales=\(\) must be positive'),
        ('entropy', dict(scales=(1.0, 0)), 'must be positive'),
        ('entropy', dict(batch_size=0), 'batch_size=0 must be a whole number, at least 1'),
        ('entropy', dict(num_workers=-1), 'num_workers=-1 must be a whole number, at least 0'),
    ],
)
def test_wrong_options_are_refused(data_root, strategy, options, message):
    with pytest.raises(UserError, match=message):
        run_query(make_model(), make_pool(data_root), strategy, **options)


def test_a_plain_module_is_refused(data_root):
    with pytest.raises(UserError, match='a Conv2d cannot score a pool: wrap it'):
        run_query(nn.Conv2d(3, 3, 1), make_pool(data_root), 'random')
