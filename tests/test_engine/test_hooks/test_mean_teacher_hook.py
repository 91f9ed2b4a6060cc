"""The teacher of a real run against a record of the student."""

import pytest
import torch
from helpers import build_model, model_cfg
from mmengine.hooks import Hook
from tiny_runs import make_runner, tiny_runner_cfg

from mmseg_tsf.engine import MeanTeacherHook
from mmseg_tsf.utils.errors import UserError


class Recorder(Hook):
    """Keeps copies of student and teacher after every iteration (after the teacher's hook)."""

    priority = 'LOW'

    def __init__(self) -> None:
        self.states: list = []
        self.start: dict = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if not self.states:
            self.start = self._copy(runner)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.states.append(self._copy(runner))

    def _copy(self, runner) -> dict:
        state = runner.model.state_dict()
        return {
            name: {
                k[len(name) + 1 :]: v.clone().double()
                for k, v in state.items()
                if k.startswith(f'{name}.')
            }
            for name in ('teacher', 'student')
        }


def run(root, work_dir, **options) -> Recorder:
    """Trains and returns the record."""
    runner = make_runner(tiny_runner_cfg('mt', root, work_dir, **options))
    recorder = Recorder()
    runner.register_hook(recorder)
    runner.train()
    return recorder


def equal(a: dict, b: dict) -> bool:
    return all(torch.equal(a[k], b[k]) for k in a)


def average(teacher: dict, student: dict, decay: float) -> dict:
    """One update in float64; counters are copied."""
    return {
        k: student[k] if 'num_batches' in k else decay * v + (1 - decay) * student[k]
        for k, v in teacher.items()
    }


def assert_same(actual: dict, expected: dict, where: str) -> None:
    for key, value in actual.items():
        torch.testing.assert_close(
            value, expected[key], rtol=1e-5, atol=1e-6, msg=f'{where}: {key}'
        )


def test_decay_rises_to_its_limit(data_root, tmp_path):
    hooks = [dict(type='SemiHook'), dict(type='MeanTeacherHook', decay=0.6)]
    model = model_cfg('mt', average_mode='eval')
    record = run(data_root, tmp_path, max_iters=5, custom_hooks=hooks, model=model)
    assert equal(record.start['teacher'], record.start['student'])
    teacher = record.start['teacher']
    for step, decay in enumerate((0.0, 0.5, 0.6, 0.6, 0.6)):
        teacher = average(teacher, record.states[step]['student'], decay)
        assert_same(record.states[step]['teacher'], teacher, f'iteration {step}')
    assert not equal(record.states[4]['teacher'], record.states[4]['student'])


def test_updates_only_with_the_optimiser(data_root, tmp_path):
    hooks = [dict(type='SemiHook'), dict(type='MeanTeacherHook', decay=0.9)]
    optim = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05), accumulative_counts=3)
    model = model_cfg('mt', average_mode='eval')
    options = dict(custom_hooks=hooks, optim_wrapper=optim, model=model)
    record = run(data_root, tmp_path, max_iters=9, **options)
    teacher = record.start['teacher']
    for step in range(9):
        if step % 3 == 2:  # updates 0, 1 and 2
            decay = 1 - 1 / (step // 3 + 1)
            teacher = average(teacher, record.states[step]['student'], decay)
        assert_same(record.states[step]['teacher'], teacher, f'iteration {step}')


@pytest.mark.parametrize('option', [dict(), dict(average_buffers=False)])
def test_own_statistics_stay_when_buffers_are_not_averaged(data_root, tmp_path, option):
    hooks = [dict(type='SemiHook'), dict(type='MeanTeacherHook', decay=0.9, **option)]
    model = model_cfg('mt', average_mode='train')
    record = run(data_root, tmp_path, max_iters=3, custom_hooks=hooks, model=model)
    last = record.states[-1]
    key = 'backbone.stem.bn.running_mean'
    assert not torch.equal(last['teacher'][key], record.start['teacher'][key])
    assert not torch.equal(last['teacher'][key], last['student'][key])
    counter = 'backbone.stem.bn.num_batches_tracked'
    assert last['teacher'][counter] == 3  # its own three passes


def save(model, path) -> str:
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), path)
    return str(path)


def test_a_loaded_teacher_is_kept(data_root, tmp_path):
    """Neither the start nor the first update may replace it by the student."""
    saved = build_model('mt')
    path = save(saved, tmp_path / 'start.pth')
    record = run(data_root, tmp_path, max_iters=2, load_from=path)
    loaded = {k: v.double() for k, v in saved.teacher.state_dict().items()}
    assert equal(record.start['teacher'], loaded)
    assert not equal(record.start['teacher'], record.start['student'])
    weight = 'decode_head.conv_seg.weight'
    for step in range(2):
        now = record.states[step]
        to_loaded = (now['teacher'][weight] - loaded[weight]).abs().max()
        to_student = (now['teacher'][weight] - now['student'][weight]).abs().max()
        assert to_student > 0, f'the loaded teacher was overwritten at iteration {step}'
        assert to_loaded < to_student


def test_a_plain_checkpoint_gives_teacher_and_student_alike(data_root, tmp_path):
    plain = build_model('supervised').student
    path = save(plain, tmp_path / 'plain.pth')
    record = run(data_root, tmp_path, max_iters=1, load_from=path)
    loaded = {k: v.double() for k, v in plain.state_dict().items()}
    assert equal(record.start['teacher'], loaded)
    assert equal(record.start['student'], loaded)


@pytest.mark.parametrize('decay', [-0.1, 1.0, 1.5])
def test_decay_outside_the_unit_interval_is_refused(decay):
    with pytest.raises(UserError, match=f'decay={decay} must lie in'):
        MeanTeacherHook(decay=decay)


def test_a_model_without_teacher_is_refused(data_root, tmp_path):
    hooks = [dict(type='SemiHook'), dict(type='MeanTeacherHook')]
    runner = make_runner(tiny_runner_cfg('cps', data_root, tmp_path, custom_hooks=hooks))
    with pytest.raises(UserError, match='CrossPseudoSupervision has no averaged network'):
        runner.train()
