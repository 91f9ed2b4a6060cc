"""UniMatch and UniMatch V2 against their definitions in plain loops."""

import numpy as np
import pytest
import torch
from helpers import SIZE, batch_for, build_model, tiny_segmentor

from mmseg_tsf.models.segmentors.unimatch import ComplementaryChannels

METHODS = ('unimatch', 'unimatch_v2')


def prepared(method, **options):
    """Model, and batch and outputs of a step whose second image is padded."""
    model = build_model(method, tiny_segmentor(norm=False), **options)
    inputs, samples = batch_for(model, num=4)
    for branch in ('unlabelled', 'strong', 'strong_2'):
        samples[branch][1].set_metainfo(dict(img_shape=(SIZE, 20)))
    samples['unlabelled'][0].gt_sem_seg.data[:, :4] = 3
    torch.manual_seed(0)
    batch = model.prepare(inputs, samples)
    outputs = {'student': model.forward_network('student', batch)}
    later = model.second_views(outputs, batch)
    if later:
        batch.views.update(later)
        outputs['student'].update(model.forward_views('student', later))
    return model, inputs, batch, outputs


@pytest.mark.parametrize('method', METHODS)
def test_losses_are_cross_entropy_of_sure_pixels_over_all_valid_ones(method):
    model, _, batch, outputs = prepared(method, threshold=0.3, weight=2.0)
    losses = model.unsupervised_loss(outputs, batch)
    shares = dict(strong=0.25, strong_2=0.25, features=0.5)
    if method == 'unimatch_v2':
        shares = dict(strong=0.5, strong_2=0.5)
    assert set(losses) == {f'loss_{name}' for name in shares}
    for name, share in shares.items():
        view, logits = batch.views[name], outputs['student'][name].logits.double().detach().numpy()
        (pseudo,) = view.pseudo.values()
        total, valid, unsure = 0.0, 0, 0
        for n in range(4):
            for y in range(SIZE):
                for x in range(SIZE):
                    if not view.valid[n, y, x]:
                        continue
                    valid += 1
                    if float(pseudo.confidence[n, y, x]) < 0.3:
                        unsure += 1
                        continue
                    scores = logits[n, :, y, x]
                    label = int(pseudo.labels[n, y, x])
                    total += np.log(np.exp(scores).sum()) - scores[label]
        assert 0 < unsure < valid < 4 * SIZE * SIZE
        expected = 2.0 * share * total / valid
        assert float(losses[f'loss_{name}'].detach()) == pytest.approx(expected, rel=1e-5), name


@pytest.mark.parametrize('method', METHODS)
def test_labels_are_those_of_the_weak_view_mixed_as_the_strong_images_are(method):
    model, inputs, batch, _ = prepared(method)
    (name,) = model.labellers
    weak = model.view(name, inputs['unlabelled']).logits
    labels = weak.argmax(dim=1)
    labels[1, :, 20:] = 255
    labels[0, :4] = 3  # what people have labelled
    pasted = 0
    for branch in ('strong', 'strong_2'):
        view = batch.views[branch]
        for n in range(4):
            own, neighbour = inputs[branch][n], inputs[branch][n - 1]
            is_pasted = (view.images[n] == neighbour).all(dim=0)
            assert torch.equal(view.images[n], torch.where(is_pasted, neighbour, own))
            expected = torch.where(is_pasted, labels[n - 1], labels[n])
            assert torch.equal(view.pseudo[name].labels[n], expected), (branch, n)
            assert torch.equal(view.valid[n], expected != 255)
            pasted += int(is_pasted.any())
    assert 0 < pasted < 8  # half of the images on average
    first, second = (batch.views[b].images - inputs[b] for b in ('strong', 'strong_2'))
    assert not torch.equal(first != 0, second != 0)  # a draw for each view


def test_the_perturbed_view_drops_channels_of_every_map_of_the_weak_view():
    model, _, batch, outputs = prepared('unimatch', dropout=0.5)
    own, maps = outputs['student']['features'].backbone, outputs['student']['weak'].backbone
    for perturbed, plain in zip(own, maps, strict=True):
        kept = (perturbed != 0).flatten(2).any(dim=2)
        assert 0 < kept.sum() < kept.numel()
        expected = 2 * plain * kept[:, :, None, None]
        torch.testing.assert_close(perturbed, expected)
    assert torch.equal(
        batch.views['features'].pseudo['student'].labels[2],
        outputs['student']['weak'].logits[2].argmax(dim=0),
    )


def test_complementary_channels():
    generator = torch.Generator().manual_seed(0)
    maps = [torch.rand(6, 20, 3, 3, generator=generator) + 1 for _ in range(2)]
    maps.append(torch.rand(6, 8, 2, 2, generator=generator) + 1)
    torch.manual_seed(0)
    channels = ComplementaryChannels()
    kept, left = channels.kept(maps), channels.left(maps)
    factors = [own / plain for own, plain in zip(kept, maps, strict=True)]
    for own, other, plain in zip(kept, left, maps, strict=True):
        torch.testing.assert_close(own + other, 2 * plain)
    for factor in factors:
        whole = [(factor[n] == 1).all().item() for n in range(6)]
        assert sum(whole) == 3  # half of the images keep everything
        assert all(set(factor[n].unique().tolist()) == {0.0, 2.0} for n in range(6) if not whole[n])
    assert torch.equal(factors[0][:, :, 0, 0], factors[1][:, :, 0, 0])  # same width, same draw


def test_no_option_of_v2_perturbs_without_being_asked():
    model, _, batch, _ = prepared('unimatch_v2', complementary_dropout=False, cutmix=None)
    assert all(view.perturb is None for view in batch.views.values())
