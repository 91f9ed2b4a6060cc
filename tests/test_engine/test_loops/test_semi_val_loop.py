"""Each network's metrics under its name, equal to evaluating it alone."""

import numpy as np
import pytest
import torch
from helpers import build_model
from mmengine.hooks import Hook
from PIL import Image
from tiny_runs import make_runner, tiny_runner_cfg, validation_cfg

from mmseg_tsf.utils.errors import UserError

NETWORKS = ('teacher', 'student', 'friend')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> str:
    """Three networks that differ."""
    model = build_model('tsf', pool=7)
    path = tmp_path_factory.mktemp('weights') / 'tsf.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), path)
    return str(path)


def runner_of(root, work_dir, checkpoint, **loop):
    cfg = tiny_runner_cfg('tsf', root, work_dir, load_from=checkpoint, **validation_cfg(root))
    cfg.val_cfg = dict(loop)
    return make_runner(cfg)


def test_metrics_equal_those_of_each_network_alone(data_root, tmp_path, checkpoint):
    runner = runner_of(data_root, tmp_path / 'all', checkpoint, type='SemiValLoop')
    metrics = runner.val()
    assert {key.split('/')[0] for key in metrics} == set(NETWORKS)
    assert runner.model.predict_on == 'teacher'
    values = []
    for name in NETWORKS:
        alone = runner_of(data_root, tmp_path / name, checkpoint, type='ValLoop')
        alone.model.predict_on = name
        expected = alone.val()
        assert {f'{name}/{k}': v for k, v in expected.items()} == {
            k: v for k, v in metrics.items() if k.startswith(name)
        }
        values.append(expected['mIoU'])
    assert len(set(values)) > 1  # the networks do differ


def test_only_the_networks_asked_for_are_reported(data_root, tmp_path, checkpoint):
    runner = runner_of(
        data_root, tmp_path, checkpoint, type='SemiValLoop', networks=['friend', 'student']
    )
    assert {key.split('/')[0] for key in runner.val()} == {'friend', 'student'}


def test_test_loop_reports_the_same(data_root, tmp_path, checkpoint):
    validation = validation_cfg(data_root)
    test = {key.replace('val_', 'test_'): value for key, value in validation.items()}
    test['test_cfg'] = dict(type='SemiTestLoop')
    cfg = tiny_runner_cfg(
        'tsf', data_root, tmp_path / 'test', load_from=checkpoint, **validation, **test
    )
    runner = make_runner(cfg)
    metrics = runner.test()
    expected = runner_of(data_root, tmp_path / 'val', checkpoint, type='SemiValLoop').val()
    assert metrics == expected


@pytest.mark.parametrize('networks', [['tutor'], ['student', 'techer'], 'teacher'])
def test_wrong_network_name_is_refused_before_training(data_root, tmp_path, checkpoint, networks):
    runner = runner_of(data_root, tmp_path, checkpoint, type='SemiValLoop', networks=networks)
    sentence = r'val_cfg.networks=.* must be a list of networks of TeacherStudentFriend: teacher,'
    with pytest.raises(UserError, match=sentence):
        runner.train()
    assert runner.iter == 0 and not list(tmp_path.rglob('*.pth'))


class Outputs(Hook):
    """Keeps the labels that a hook which paints pictures would get."""

    def __init__(self) -> None:
        self.labels: list = []

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.labels += [sample.pred_sem_seg.data.flatten() for sample in outputs]


@pytest.mark.parametrize('format_only', [False, True])
@pytest.mark.parametrize(
    ('predict_on', 'networks', 'shown'),
    [
        ('teacher', None, 'teacher'),
        ('student', None, 'student'),
        ('teacher', ['friend', 'student'], 'friend'),
    ],
)
def test_pictures_and_files_show_the_network_that_predicts(
    data_root, tmp_path, predict_on, networks, shown, format_only
):
    cfg = tiny_runner_cfg('tsf', data_root, tmp_path / 'run', **validation_cfg(data_root))
    cfg.val_cfg.networks = networks
    cfg.val_evaluator.update(output_dir=str(tmp_path / 'out'), format_only=format_only)
    runner = make_runner(cfg)
    runner.model.predict_on = predict_on
    for label, name in enumerate(NETWORKS):  # each says one class, whatever it sees
        head = getattr(runner.model, name).decode_head.conv_seg
        torch.nn.init.zeros_(head.weight)
        head.bias.data = torch.eye(len(head.bias))[label]
    runner.register_hook(outputs := Outputs())
    metrics = runner.val()
    label = NETWORKS.index(shown)
    assert len(outputs.labels) == 3 and all((own == label).all() for own in outputs.labels)
    written = list((tmp_path / 'out').glob('*.png'))
    assert len(written) == 3
    assert all((np.asarray(Image.open(path)) == label).all() for path in written)
    assert {key.split('/')[0] for key in metrics} == (
        set() if format_only else set(networks or NETWORKS)
    )


def test_validation_within_training_changes_nothing_and_can_pick_the_best(data_root, tmp_path):
    states = []
    for name, more in (('without', {}), ('with', validation_cfg(data_root))):
        cfg = tiny_runner_cfg('tsf', data_root, tmp_path / name, max_iters=4, **more)
        cfg.train_cfg.val_interval = 2
        cfg.default_hooks.checkpoint.save_best = 'teacher/mIoU' if more else None
        runner = make_runner(cfg)
        runner.train()
        states.append({k: v.clone() for k, v in runner.model.state_dict().items()})
    assert all(torch.equal(states[0][k], v) for k, v in states[1].items())
    assert len(list((tmp_path / 'with').rglob('best_teacher_mIoU_iter_*.pth'))) == 1


@pytest.mark.parametrize('predict_on', ['teacher', 'friend'])
def test_plain_names_mean_the_network_that_predicts(data_root, tmp_path, predict_on):
    cfg = tiny_runner_cfg('tsf', data_root, tmp_path, max_iters=4, **validation_cfg(data_root))
    cfg.model.test_cfg = dict(predict_on=predict_on)
    cfg.val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU', 'mDice'])
    cfg.train_cfg.val_interval = 1
    cfg.default_hooks.checkpoint.save_best = ['mIoU', 'mDice']
    # nothing can be better by 1000: stops after the second validation
    stop = dict(type='EarlyStoppingHook', monitor='mIoU', min_delta=1000.0, patience=1)
    cfg.custom_hooks.append(stop)
    runner = make_runner(cfg)
    runner.register_hook(seen := Metrics())
    runner.train()
    assert runner.iter == 2
    best = max(metrics[f'{predict_on}/mIoU'] for metrics in seen.metrics)
    assert runner.message_hub.get_info('best_score_mIoU') == best
    assert all('/' in key for metrics in seen.metrics for key in metrics)  # none is there twice
    logged = [key for key in runner.message_hub.log_scalars if key.startswith('val/')]
    assert {key for key in logged if key.count('/') < 2} <= {'val/time', 'val/data_time'}
    assert len(list(tmp_path.rglob('best_m*.pth'))) == 2
    metrics = seen.metrics[0]
    assert 'mIoU' in metrics and 'mFscore' not in metrics and 'student/mIoU' in metrics
    assert metrics['mIoU'] == metrics.get('mIoU') == metrics[f'{predict_on}/mIoU']
    assert metrics.get('mFscore') is None
    with pytest.raises(KeyError, match='mFscore'):
        metrics['mFscore']


class Metrics(Hook):
    """Keeps what hooks get."""

    def __init__(self) -> None:
        self.metrics: list = []

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.metrics.append(metrics)


@pytest.mark.parametrize(
    ('monitor', 'loop', 'sentence'),
    [
        ('tutor/mIoU', 'SemiValLoop', 'the validation evaluates teacher, student, friend; name o'),
        ('teacher/mIoU', 'ValLoop', "val_cfg.type='SemiValLoop', or .*='mIoU'"),
        ('mIoU', None, 'watches a validation, but the config has no val_cfg'),
    ],
)
def test_a_metric_that_will_never_be_there_is_refused_before_training(
    data_root, tmp_path, monitor, loop, sentence
):
    for hook in ('checkpoint', 'stop'):
        more = validation_cfg(data_root) if loop else {}
        cfg = tiny_runner_cfg('tsf', data_root, tmp_path / hook, **more)
        if loop:
            cfg.val_cfg.type = loop
        if hook == 'checkpoint':
            cfg.default_hooks.checkpoint.save_best = monitor
        else:
            cfg.custom_hooks.append(dict(type='EarlyStoppingHook', monitor=monitor))
        runner = make_runner(cfg)
        with pytest.raises(UserError, match=sentence):
            runner.train()
        assert runner.iter == 0
