"""Every CutMix and copy-paste path: image, label, confidence and validity by the same mask.

The "networks" read their answer off the image, whose channels encode what belongs to a pixel:
0 its class, 1 the teacher's confidence, 2 validity, 3 the image that it is from, 4 the view.
Whatever the mixing does, the mixed tensors must still agree with the mixed image.
"""

import pytest
import torch
from helpers import NUM_CLASSES, SIZE, build_model, make_sample

from mmseg_tsf.utils.errors import UserError

UNLABELLED, PARTNER, LABELLED, PASTE = 10, 20, 30, 40


def encode(labels, origin: int, sizes):
    """Images ``(N, 5, H, W)``; beyond each image's own height and width lies padding."""
    num = len(labels)
    image = torch.zeros(num, 5, SIZE, SIZE)
    image[:, 0] = labels
    image[:, 1] = 0.4 + 0.5 * torch.rand(num, SIZE, SIZE)
    for own, (height, width) in zip(image, sizes, strict=True):
        own[2, :height, :width] = 1
    image[:, 3] = origin + torch.arange(num).view(num, 1, 1)
    return image


def encoded_batch(model, num: int = 3, strong: bool = False):
    """All branches that a model may ask for, with padding at different sides."""
    inputs, samples = {}, {}
    steps = range(num)  # every image has another size
    sizes = dict(
        unlabelled=[(SIZE, 28 - 4 * i) for i in steps],
        partner=[(29 - 3 * i, SIZE) for i in steps],
        labelled=[(SIZE, SIZE)] * num,
        paste=[(20 + 4 * i, SIZE) for i in steps],
    )
    origins = dict(unlabelled=UNLABELLED, partner=PARTNER, labelled=LABELLED, paste=PASTE)
    for branch, origin in origins.items():
        coarse = torch.randint(NUM_CLASSES, (num, SIZE // 8, SIZE // 8))
        labels = coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)
        inputs[branch] = encode(labels, origin, sizes[branch])
        truth = labels.masked_fill(inputs[branch][:, 2] == 0, 255)
        if branch in ('unlabelled', 'partner'):
            truth[:] = 255
        samples[branch] = [
            make_sample(t, pool_idx=i + origin % 9, cutmix_class=i % NUM_CLASSES)
            for i, t in enumerate(truth)
        ]
        for sample, size in zip(samples[branch], sizes[branch], strict=True):
            sample.set_metainfo(dict(img_shape=size))
    if strong:
        for branch, name in (('unlabelled', 'strong'), ('partner', 'partner_strong')):
            inputs[name] = inputs[branch].clone()
            inputs[name][:, 4] = 1
    return inputs, samples


def read_off(name: str, images):
    """The answer of a network: class (the friend's is shifted by one) with channel 1's softmax."""
    assert (images[:, 4] == 0).all(), 'pseudo-labels come from the weak view'
    labels = (images[:, 0].long() + (name == 'friend')) % NUM_CLASSES
    confidence = images[:, 1]
    rest = ((1 - confidence) / (NUM_CLASSES - 1)).unsqueeze(1)
    probability = rest.repeat(1, NUM_CLASSES, 1, 1)
    return None, probability.scatter(1, labels.unsqueeze(1), confidence.unsqueeze(1)).log()


def prepare(method: str, strong: bool = False, seed: int = 0, **options):
    """The batch that the method's learners would see, and what it was made of."""
    torch.manual_seed(seed)
    model = build_model(method, pool=40, **options)
    model.run = read_off
    torch.manual_seed(seed)
    inputs, samples = encoded_batch(model, strong=strong)
    originals = {name: images.clone() for name, images in inputs.items()}
    return model, originals, model.prepare(inputs, samples)


CUTMIX = {
    'mt_cutmix': {},
    'cps_cutmix': {},
    'ael': {},
    'ael_random': dict(consistency_on_labelled=False),
    'tsf': {},
}


@pytest.mark.parametrize('strong', [False, True])
@pytest.mark.parametrize('method', CUTMIX)
@pytest.mark.parametrize('seed', range(3))
def test_cutmix_moves_image_label_confidence_and_validity_together(method, strong, seed):
    model, originals, batch = prepare(method, strong, seed, **CUTMIX[method])
    view = batch.views['unlabelled']
    mixed = view.images
    valid = mixed[:, 2] == 1
    assert torch.equal(view.valid, valid)
    assert (mixed[:, 4] == float(strong)).all()  # the learners see the strong view
    labels = mixed[:, 0].long()
    if method == 'cps_cutmix':
        for name, shift in (('student', 0), ('friend', 1)):
            expected = ((labels + shift) % NUM_CLASSES).masked_fill(~valid, 255)
            assert torch.equal(view.pseudo[name].labels, expected)
    else:
        pseudo = view.pseudo['teacher']
        assert torch.equal(pseudo.labels, labels.masked_fill(~valid, 255))
        torch.testing.assert_close(pseudo.confidence, mixed[:, 1] * valid)
    if method == 'mt_cutmix':
        probability = view.targets['teacher'].gather(1, labels.unsqueeze(1)).squeeze(1)
        torch.testing.assert_close(probability, mixed[:, 1])
    check_origins(mixed[:, 3], adaptive='partner' in model.required_branches)
    # every pixel is one of the two source images' pixels at its place
    sources = [originals['unlabelled'], originals['partner']]
    for own, image in enumerate(mixed):
        pixels = torch.stack([source[i] for source in sources for i in range(3)])
        same = (pixels[:, [0, 1, 2, 3]] == image[[0, 1, 2, 3]]).all(dim=1).any(dim=0)
        assert same.all(), own


def check_origins(origin, adaptive: bool) -> None:
    """Each image holds pixels of itself and of one partner, a box of them."""
    for i, image in enumerate(origin):
        partner = PARTNER + i if adaptive else UNLABELLED + (i - 1) % len(origin)
        assert set(image.unique().tolist()) == {UNLABELLED + i, partner}


@pytest.mark.parametrize('method', ['ael', 'tsf'])
def test_adaptive_boxes_surround_a_component_of_the_wanted_class(method):
    _, originals, batch = prepare(method)
    pasted = batch.views['unlabelled'].images[:, 3] >= PARTNER
    for i in range(3):
        rows, columns = pasted[i].nonzero().unbind(1)
        top, left, bottom, right = (
            int(v) for v in (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        )
        assert pasted[i, top:bottom, left:right].all()
        wanted = (originals['partner'][i, 0] == i % NUM_CLASSES) & (originals['partner'][i, 2] == 1)
        inside = wanted[top:bottom, left:right]
        if wanted.any():  # a tight box touches its component on all four sides
            assert inside[0].any() and inside[-1].any()
            assert inside[:, 0].any() and inside[:, -1].any()


@pytest.mark.parametrize('method', ['ael', 'tsf'])
def test_copy_paste_moves_image_and_ground_truth_together(method):
    pasted_any = False
    for seed in range(3):
        model, originals, batch = prepare(method, seed=seed)
        truth = torch.stack([sample.gt_sem_seg.data.squeeze(0) for sample in batch.samples])
        image = batch.labelled
        assert torch.equal(truth, image[:, 0].long())
        pasted = image[:, 3] >= PASTE
        pasted_any |= bool(pasted.any())
        source = originals['paste']
        for cls in range(NUM_CLASSES):  # all valid pixels of a class or none, one set per batch
            places = (source[:, 0] == cls) & (source[:, 2] == 1)
            assert pasted[places].all() or not pasted[places].any()
        assert not pasted[source[:, 2] == 0].any()
        assert torch.equal(
            image[~pasted.unsqueeze(1).expand_as(image)],
            originals['labelled'][~pasted.unsqueeze(1).expand_as(image)],
        )
    assert pasted_any


def test_class_bank_learns_of_both_images_and_not_of_padding():
    model, originals, _ = prepare('ael')
    presence = model.class_bank.presence
    expected = torch.zeros_like(presence)
    for branch, origin in (('unlabelled', UNLABELLED), ('partner', PARTNER)):
        for i, image in enumerate(originals[branch]):
            shown = image[0][image[2] == 1].long().bincount(minlength=NUM_CLASSES)
            expected[:, i + origin % 9] = shown >= 0.01 * SIZE * SIZE
    assert torch.equal(presence, expected)


@pytest.mark.parametrize('method', ['mt_cutmix', 'cps_cutmix', 'ael_random'])
def test_cutmix_within_a_batch_needs_two_images(method):
    model = build_model(method)
    model.run = read_off
    inputs, samples = encoded_batch(model, num=1)
    with pytest.raises(UserError, match='train_dataloader.batch_size to 2 or more'):
        model.prepare(inputs, samples)
