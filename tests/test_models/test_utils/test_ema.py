"""The moving average against arithmetic in float64."""

import pytest
import torch
from torch import nn

from mmseg_tsf.models.utils.ema import ema_update

DECAYS = (0.0, 0.5, 0.9, 0.99)


def make_pair(seed: int = 0):
    torch.manual_seed(seed)
    teacher, student = (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)) for _ in 'ab'
    )
    teacher[1].running_mean.normal_()
    teacher[1].running_var.uniform_(0.5, 2)
    return teacher, student


def change(student) -> None:
    """What a training step does: parameters, BN statistics and their counter move."""
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(torch.randn_like(parameter))
    student.train()(torch.randn(2, 3, 8, 8, dtype=student[0].weight.dtype))


def run_updates(teacher, student, average_buffers: bool = True):
    """Updates the teacher and returns what float64 arithmetic makes of the same numbers."""
    expected = {k: v.clone().double() for k, v in teacher.state_dict().items()}
    is_buffer = {name for name, _ in teacher.named_buffers()}
    for decay in DECAYS:
        change(student)
        ema_update(teacher, student, decay, average_buffers)
        for name, value in student.state_dict().items():
            if name in is_buffer and not average_buffers:
                continue
            keep = decay if value.is_floating_point() else 0.0
            expected[name] = keep * expected[name] + (1 - keep) * value.double()
    return expected


def assert_state(module, expected) -> None:
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value.double(), expected[name], rtol=2e-6, atol=2e-6, msg=name)


def test_several_updates_equal_float64_arithmetic():
    teacher, student = make_pair()
    expected = run_updates(teacher, student)
    assert_state(teacher, expected)
    assert teacher[1].num_batches_tracked == student[1].num_batches_tracked == len(DECAYS)


def test_zero_decay_copies_bit_for_bit():
    teacher, student = make_pair()
    change(student)
    ema_update(teacher, student, 0.0)
    for mine, theirs in zip(
        teacher.state_dict().values(), student.state_dict().values(), strict=True
    ):
        assert torch.equal(mine, theirs)


def test_buffers_stay_when_they_are_not_averaged():
    teacher, student = make_pair()
    mean, var = teacher[1].running_mean.clone(), teacher[1].running_var.clone()
    expected = run_updates(teacher, student, average_buffers=False)
    assert_state(teacher, expected)
    assert torch.equal(teacher[1].running_mean, mean)
    assert torch.equal(teacher[1].running_var, var)
    assert teacher[1].num_batches_tracked == 0


@pytest.mark.parametrize(
    'move',
    [
        lambda model: model._apply(torch.clone),
        lambda model: model.to(torch.float64),
        lambda model: model.to(memory_format=torch.channels_last),
    ],
    ids=['clone', 'float64', 'channels_last'],
)
def test_a_model_whose_storage_moved_is_averaged_all_the_same(move):
    pair = nn.ModuleList(make_pair())
    ema_update(pair[0], pair[1], 0.5)  # anything remembered here would be stale below
    pair = move(pair)
    expected = run_updates(pair[0], pair[1])
    assert_state(pair[0], expected)


def test_the_student_is_not_touched():
    teacher, student = make_pair()
    before = {k: v.clone() for k, v in student.state_dict().items()}
    ema_update(teacher, student, 0.3)
    assert all(torch.equal(before[k], v) for k, v in student.state_dict().items())


def test_networks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match='zip'):
        ema_update(nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.ReLU()), 0.5)
