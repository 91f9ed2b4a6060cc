"""The method of docs/extending.md: trained, killed, resumed, exported, and on two ranks."""

import pytest
import torch
from extending import run_section
from extending_jobs import KILLED, LAST, SAVED, run, work
from helpers import batch_for, tiny_segmentor
from mmseg.registry import MODELS
from tiny_runs import assert_equal, load_checkpoint

NAME = f'iter_{LAST}.pth'


@pytest.fixture(scope='module')
def whole(data_root, tmp_path_factory):
    """An uninterrupted run and its last checkpoint."""
    out = tmp_path_factory.mktemp('two_teachers')
    return run(data_root, out), load_checkpoint(out / NAME)


@pytest.mark.parametrize('accumulate', [1, 2])
def test_killed_and_resumed_equals_uninterrupted(data_root, tmp_path, whole, accumulate):
    if accumulate == 1:
        watch, expected = whole
    else:
        watch = run(data_root, tmp_path / 'whole', accumulate=2)
        expected = load_checkpoint(tmp_path / 'whole' / NAME)
    run(data_root, tmp_path / 'run', KILLED, accumulate=accumulate)
    resumed = run(data_root, tmp_path / 'run', resume=True, accumulate=accumulate)
    assert sorted(resumed.losses) == list(range(SAVED + accumulate - 1, LAST))
    for step in resumed.losses:
        assert resumed.losses[step] == watch.losses[step], step
        assert resumed.rates[step] == watch.rates[step], step
    actual = load_checkpoint(tmp_path / 'run' / NAME)
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_equal(actual[part], expected[part], part)


def test_the_part_has_an_optimiser_and_a_schedule_of_its_own(whole):
    watch, checkpoint = whole
    for step, (main, part) in watch.rates.items():
        assert main == pytest.approx(1e-2 * max(0, 1 - (step + 1) / (LAST - 1)) ** 0.9, abs=1e-12)
        assert part == pytest.approx(1e-3 * (1 - (step + 1) / 999) ** 0.9)
    state = checkpoint['optimizer']
    assert state['parts']['projection']['state'][0]['step'] == LAST
    sizes = [len(group['params']) for group in state['main']['param_groups']]
    run_section('A method')
    model = MODELS.build(dict(type='TwoTeachers', segmentor=tiny_segmentor()))
    own = [name for name, _ in model.student.named_parameters() if not name.startswith('parts.')]
    frozen = sum(1 for name in model.averages for _ in getattr(model, name).parameters())
    assert sum(sizes) == len(own) + frozen  # AdamW lists the averages, too, without gradient


def test_each_teacher_follows_the_student_in_its_turn(whole):
    watch, _ = whole
    for step in range(1, LAST):
        before, after = watch.averages[step - 1], watch.averages[step]
        moves = 'teacher_1' if step % 2 == 0 else 'teacher_2'
        rests = 'teacher_2' if step % 2 == 0 else 'teacher_1'
        assert torch.equal(before[rests], after[rests])
        decay = min(1 - 1 / (step + 1), 0.9)
        expected = decay * before[moves].double() + (1 - decay) * after['student'].double()
        torch.testing.assert_close(after[moves].double(), expected, rtol=1e-5, atol=1e-7)
        assert not torch.equal(before['student'], after['student'])


def test_the_checkpoint_names_the_method_and_its_networks(whole):
    assert whole[1]['meta']['method'] == dict(
        method='TwoTeachers',
        networks=['teacher_1', 'teacher_2', 'student'],
        learners=['student'],
        averages={'teacher_1': 'student', 'teacher_2': 'student'},
        predict_on='teacher_1',
    )


def test_views_are_handed_back_by_name():
    """Features are perturbed after the backbone, which runs once for both views."""
    run_section('A method')
    torch.manual_seed(0)
    model = MODELS.build(dict(type='TwoTeachers', segmentor=tiny_segmentor(norm=False)))
    model.drop.eval()
    inputs, samples = batch_for(model)
    batch = model.prepare(inputs, samples)
    seen = []
    model.student.backbone.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    found = model.forward_network('student', batch)
    assert list(found) == ['labelled', 'weak', 'mixed', 'dropped'] and seen == [6]
    for name, images in (
        ('labelled', inputs['labelled']),
        ('weak', inputs['unlabelled']),
        ('mixed', batch.views['mixed'].images),
        ('dropped', inputs['unlabelled']),  # nothing is dropped in evaluation mode
    ):
        torch.testing.assert_close(found[name].logits, model.show('student', images).logits)


def test_two_ranks_stay_together_and_resume(data_root, tmp_path):
    torch.multiprocessing.spawn(work, (str(data_root), str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f'rank{rank}.pt', weights_only=False) for rank in (0, 1))
    assert_equal(first, second)
    whole, resumed = first
    assert_equal({step: whole[step] for step in resumed}, resumed)
    whole, killed = (load_checkpoint(tmp_path / name / NAME) for name in ('whole', 'killed'))
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_equal(killed[part], whole[part], part)
