"""Networks of VAAL by their definition, losses by plain loops, and the order of the updates."""

import copy
import functools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from tiny_runs import assert_equal

from mmseg_tsf.active_learning.strategies import vaal_training
from mmseg_tsf.active_learning.strategies.vaal_networks import (
    VAE,
    Discriminator,
    discriminator_loss,
    encoder_widths,
    vae_loss,
)
from mmseg_tsf.active_learning.strategies.vaal_training import (
    ShuffledImages,
    VAALOptions,
    VAALTraining,
)
from mmseg_tsf.utils.seeding import draw_seed

OPTIONS = VAALOptions(
    size=32, latent=3, channels=32, beta=2.0, adversary=0.5, iterations=5, batch_size=4
)


def make_training(path, options=OPTIONS, seed=7) -> VAALTraining:
    images = np.random.default_rng(0).integers(0, 256, (15, 3, 32, 32), dtype=np.uint8)
    labelled = np.arange(15) % 3 == 0
    return VAALTraining(images, labelled, options, seed, torch.device('cpu'), path)


def die_after(training: VAALTraining, last: int) -> None:
    if training.done == last:
        raise KeyboardInterrupt


def num_weights(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_networks_are_the_published_ones():
    widths = [128, 256, 512, 1024]
    assert encoder_widths(32, 1024) == widths
    convolutions = 16 * (3 * 128 + 2 * (128 * 256 + 256 * 512 + 512 * 1024))
    norms = 2 * (sum(widths) + sum(widths[:-1]))
    linear = 2 * (4096 * 32 + 32) + 32 * 16384 + 16384
    vae = VAE(32, 32, 1024)
    assert num_weights(vae) == convolutions + norms + linear + 128 * 3 + 3
    assert num_weights(Discriminator(32)) == 33 * 512 + 513 * 512 + 513
    std = math.sqrt(2 / (3 * 16))  # Kaiming
    assert vae.encoder[0].weight.std().item() == pytest.approx(std, rel=0.05)
    assert vae.decoder[0].bias.abs().max() == 0 and vae.mean.bias.abs().max() > 0


@pytest.mark.parametrize(('size', 'layers'), [(32, 4), (64, 5), (128, 6)])
def test_shapes_for_each_size(size, layers):
    vae = VAE(size, 5, 64)
    assert encoder_widths(size, 64) == [64 >> i for i in range(layers)][::-1]
    images = torch.zeros(2, 3, size, size)
    assert vae.encoder[:-1](images).shape == (2, 64, 2, 2)
    mean, log_variance = vae.encode(images)
    assert mean.shape == log_variance.shape == (2, 5)
    assert vae.decoder(mean).shape == images.shape
    assert Discriminator(5)(mean).shape == (2,)


def test_losses_equal_plain_loops():
    rng = np.random.default_rng(0)
    images, restored = rng.normal(size=(2, 4, 3, 2, 2))
    mean, log_variance = rng.normal(size=(2, 4, 5))
    error = sum((restored[i] - images[i]) ** 2 for i in np.ndindex(images.shape))
    divergence = 0.0
    for n, z in np.ndindex(mean.shape):
        variance = math.exp(log_variance[n, z])
        divergence += 0.5 * (mean[n, z] ** 2 + variance - log_variance[n, z] - 1)
    found = vae_loss(*map(torch.tensor, (images, restored, mean, log_variance)), beta=3.0)
    assert found.item() == pytest.approx((error + 3 * divergence) / (4 * 3 * 2 * 2), rel=1e-12)
    own, other = rng.normal(size=(2, 6))
    chance = [1 / (1 + np.exp(-logits)) for logits in (own, other)]
    for fool in (True, False):
        expected = 0.0
        for p, q in zip(*chance, strict=True):
            expected -= (math.log(p) + math.log(q if fool else 1 - q)) / 6
        found = discriminator_loss(torch.tensor(own), torch.tensor(other), fool)
        assert found.item() == pytest.approx(expected, rel=1e-12)


def test_an_iteration_is_two_steps_of_the_vae_and_one_of_the_discriminator(tmp_path):
    training = make_training(tmp_path / 'state')
    vae, judge = copy.deepcopy(training.vae), copy.deepcopy(training.discriminator)
    of_vae, of_judge = (torch.optim.Adam(own.parameters(), 5e-4) for own in (vae, judge))
    for number in (2, 3):
        places = np.concatenate([own.batch(number, 4) for own in training.kinds])
        assert (places[:4] % 3 == 0).all() and (places[4:] % 3 != 0).all()
        images = torch.from_numpy(training.images[places]).float() / 127.5 - 1
        generator = torch.Generator().manual_seed(draw_seed(7, number + 1))
        mean, log_variance = vae.encode(images)
        noise = torch.randn(8, 3, generator=generator)
        restored = vae.decoder(mean + log_variance.exp().sqrt() * noise)
        loss = 0.0
        for kind in (slice(0, 4), slice(4, 8)):
            loss = loss + vae_loss(
                images[kind], restored[kind], mean[kind], log_variance[kind], beta=2.0
            )
            loss = loss - 0.5 * judge(mean[kind]).sigmoid().log().mean()
        of_vae.zero_grad()
        loss.backward()
        of_vae.step()
    chance = judge(vae.encode(images)[0].detach()).sigmoid()
    loss = -chance[:4].log().mean() - (1 - chance[4:]).log().mean()
    of_judge.zero_grad()
    loss.backward()
    of_judge.step()

    training.vae.train()
    training._step(1)
    for own, expected in ((training.vae, vae), (training.discriminator, judge)):
        for name, value in expected.state_dict().items():
            torch.testing.assert_close(own.state_dict()[name], value, atol=1e-5, rtol=1e-4)
    assert training.losses['discriminator'].item() == pytest.approx(loss.item(), rel=1e-3)


def test_a_killed_training_ends_like_an_uninterrupted_one(tmp_path, monkeypatch):
    state = torch.random.get_rng_state()
    whole = make_training(tmp_path / 'whole')
    whole.run(lambda: None)
    monkeypatch.setattr(vaal_training, 'SAVE_SECONDS', 0.0)
    for last in (2, 4):
        killed = make_training(tmp_path / 'killed')
        with pytest.raises(KeyboardInterrupt):
            killed.run(functools.partial(die_after, killed, last))
    again = make_training(tmp_path / 'killed')
    steps = []
    again.run(lambda: steps.append(again.done))
    assert steps == [5]
    for name, part in whole.parts.items():
        assert_equal(again.parts[name].state_dict(), part.state_dict(), name)
    assert np.array_equal(again.judge(5), whole.judge(5)) and again.losses == whole.losses
    done = make_training(tmp_path / 'killed')
    done.run(lambda: pytest.fail('it was complete'))
    assert np.array_equal(done.judge(5), whole.judge(5)) and done.losses == whole.losses
    assert torch.equal(torch.random.get_rng_state(), state)
    other = make_training(tmp_path / 'other', seed=8)
    other.run(lambda: None)
    assert not np.array_equal(other.judge(5), whole.judge(5))


def test_images_are_judged_alone(tmp_path, monkeypatch):
    training = make_training(tmp_path / 'state')
    training.run(lambda: None)
    together = training.judge(0)
    monkeypatch.setattr(vaal_training, 'AT_ONCE', 2)
    np.testing.assert_allclose(training.judge(0), together, atol=1e-5)
    with torch.no_grad():
        mean = training.vae.encode(torch.from_numpy(training.images).float() / 127.5 - 1)[0]
        expected = training.discriminator(mean)
    np.testing.assert_allclose(training.judge(4), expected[4:], atol=1e-5)


def test_every_image_comes_once_before_any_comes_again():
    images = ShuffledImages(np.arange(10, 17), np.array([3], np.uint64))
    dealt = np.concatenate([images.batch(number, 4) for number in range(7)])
    turns = dealt.reshape(4, 7)
    assert all(Counter(turn.tolist()) == Counter(range(10, 17)) for turn in turns)
    assert len({tuple(turn) for turn in turns.tolist()}) == 4
    assert np.array_equal(images.batch(5, 4), dealt[20:24])
    assert images.batch(0, 16).shape == (16,)
