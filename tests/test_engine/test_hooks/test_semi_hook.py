"""Refusals before training, seeding of the steps, and the end of a run that went wrong."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import build_model, model_cfg, tiny_segmentor
from mmengine.hooks import Hook
from mmengine.registry import MODEL_WRAPPERS
from PIL import Image
from tiny_runs import (
    active_learning_cfg,
    make_runner,
    part_cfg,
    tiny_runner_cfg,
    validation_cfg,
)

from mmseg_tsf.engine.preflight.run_check import check_parallel
from mmseg_tsf.utils.errors import UserError


class Losses(Hook):
    """Keeps the outputs of every iteration, and what the model knew of its progress."""

    def __init__(self) -> None:
        self.values: list = []
        self.progress: list = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.values.append({k: float(v) for k, v in outputs.items()})
        self.progress.append(float(runner.model.progress))


def train(cfg) -> Losses:
    """Runs a config and returns its losses."""
    runner = make_runner(cfg)
    losses = Losses()
    runner.register_hook(losses)
    runner.train()
    return losses


@pytest.mark.parametrize('method', ['tsf', 'cps_cutmix'])
def test_same_seed_same_losses(data_root, tmp_path, method):
    runs = [
        train(
            tiny_runner_cfg(
                method, data_root, tmp_path / str(i), max_iters=3, randomness=dict(seed=seed)
            )
        )
        for i, seed in enumerate((1, 1, 2))
    ]
    assert runs[0].values == runs[1].values
    assert runs[0].values != runs[2].values
    assert runs[0].progress == pytest.approx([0, 1 / 3, 2 / 3])
    info = json.loads((tmp_path / '0' / 'run_info.json').read_text())
    assert (info['finished_iters'], info['seed'], info['batch_size']) == (3, 1, 2)
    assert [info['lists'][b]['images'] for b in ('labelled', 'unlabelled')] == [5, 7]


def refuse(root, tmp_path, method, sentence, change=None, error=ValueError, **options) -> None:
    """Training must not start."""
    cfg = tiny_runner_cfg(method, root, tmp_path, **options)
    if change is not None:
        change(cfg)
    runner = make_runner(cfg)
    losses = Losses()
    runner.register_hook(losses)
    with pytest.raises(error, match=sentence):
        runner.train()
    assert losses.values == []


def test_missing_unlabelled_images(data_root, tmp_path):
    def change(cfg):
        cfg.train_dataloader.dataset.unlabelled = None

    sentence = "MeanTeacher needs the branches labelled, unlabelled, but 'unlabelled' is missing"
    refuse(data_root, tmp_path, 'mt', sentence, change)


def test_missing_paste_branch(data_root, tmp_path):
    def change(cfg):
        cfg.train_dataloader.dataset.paste_prob = None

    refuse(data_root, tmp_path, 'tsf', "'paste' is missing: set SemiDataset.paste_prob", change)


def test_missing_partner_hook(data_root, tmp_path):
    hooks = [dict(type='SemiHook'), dict(type='MeanTeacherHook')]
    sentence = "'partner' is missing: add dict.type='AdaptivePartnerHook'"
    refuse(data_root, tmp_path, 'tsf', sentence, custom_hooks=hooks)


def test_a_second_semi_hook(data_root, tmp_path):
    cfg = tiny_runner_cfg('supervised', data_root, tmp_path)
    cfg.default_hooks.semi = dict(type='SemiHook')
    with pytest.raises(UserError, match='SemiHook twice: take it out of custom_hooks'):
        train(cfg)


@pytest.mark.parametrize(('method', 'branch'), [('unimatch', 'strong_2'), ('psmt', 'strong')])
def test_missing_strong_view(data_root, tmp_path, method, branch):
    cfg = tiny_runner_cfg(method, data_root, tmp_path)
    cfg.train_dataloader.dataset.views.pop(branch)
    with pytest.raises(UserError, match=f"{branch}' is missing: set SemiDataset.views"):
        train(cfg)


def test_a_damaged_record_of_the_run_is_kept_aside(data_root, tmp_path):
    cfg = tiny_runner_cfg('supervised', data_root, tmp_path)
    for number, content in enumerate((b'{"seed": 3', b'\0\0', b'[]', b'\xff')):
        (tmp_path / 'run_info.json').write_bytes(content)
        train(cfg)
        assert json.loads((tmp_path / 'run_info.json').read_text())['finished_iters'] == 4
        kept = 'run_info.json.damaged' + (f'_{number + 1}' if number else '')
        assert (tmp_path / kept).read_bytes() == content


def test_missing_mean_teacher_hook(data_root, tmp_path):
    hooks = [dict(type='SemiHook'), dict(type='AdaptivePartnerHook', num_workers=0)]
    sentence = "TeacherStudentFriend averages networks, .*: add dict.type='MeanTeacherHook'"
    refuse(data_root, tmp_path, 'tsf', sentence, custom_hooks=hooks)


def test_plain_data_set(data_root, tmp_path):
    def change(cfg):
        cfg.train_dataloader.dataset = part_cfg(data_root, 'labelled.txt')
        cfg.train_dataloader.sampler.type = 'InfiniteSampler'

    refuse(data_root, tmp_path, 'supervised', "'labelled' is missing: wrap the training", change)


def test_other_number_of_classes(data_root, tmp_path):
    model = model_cfg('tsf', tiny_segmentor(num_classes=7))
    sentence = 'the data set has 4 classes, decode_head.num_classes is 7'
    refuse(data_root, tmp_path, 'tsf', sentence, model=model)


def test_other_number_of_classes_of_an_auxiliary_head(data_root, tmp_path):
    segmentor = tiny_segmentor()
    segmentor['auxiliary_head'] = dict(segmentor['decode_head'], num_classes=3)
    sentence = 'the data set has 4 classes, auxiliary_head.num_classes is 3'
    refuse(data_root, tmp_path, 'mt', sentence, model=model_cfg('mt', segmentor))


def test_a_boundary_head_has_classes_of_its_own(data_root, tmp_path):
    segmentor = tiny_segmentor()
    losses = [
        dict(type='CrossEntropyLoss', loss_name='loss_ce', use_sigmoid=True),
        dict(type='DiceLoss', loss_name='loss_dice'),
    ]
    boundary = dict(type='STDCHead', num_classes=2, out_channels=1, boundary_threshold=0.1)
    segmentor['auxiliary_head'] = {**segmentor['decode_head'], **boundary, 'loss_decode': losses}
    cfg = tiny_runner_cfg('mt', data_root, tmp_path, model=model_cfg('mt', segmentor))
    assert all('student.aux.loss_dice' in own for own in train(cfg).values)


def test_epochs_of_a_sampler_without_end(data_root, tmp_path):
    loop = dict(type='EpochBasedTrainLoop', max_epochs=1)
    sentence = 'SemiInfiniteSampler never ends an epoch: take train_cfg.type=IterBasedTrainLoop'
    refuse(data_root, tmp_path, 'mt', sentence, train_cfg=loop, param_scheduler=None)


@pytest.mark.parametrize('problem', ['no file', 'class ids'])
def test_validation_masks_are_looked_at_before_training(own_data_root, tmp_path, problem):
    path = own_data_root / 'val_ann' / '1.png'
    sentence = f'mask of a labelled image {path} does not exist'
    if problem == 'no file':
        path.unlink()
    else:
        Image.fromarray(np.full((40, 48), 9, np.uint8)).save(path)
        sentence = rf'mask {path} has the class ids \[9\], but there are 4'
    options = validation_cfg(own_data_root)
    refuse(own_data_root, tmp_path / 'a', 'mt', sentence, **options)

    if problem == 'class ids':  # which stop nothing but the look at them
        cfg = tiny_runner_cfg('mt', own_data_root, tmp_path / 'b', **options)
        cfg.train_dataloader.dataset.check_files = False
        assert len(train(cfg).values) == 4


@pytest.mark.parametrize('method', ['tsf', 'supervised'])
def test_a_training_that_nothing_checks_is_refused(data_root, tmp_path, method):
    def change(cfg):
        cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook['type'] != 'SemiHook']

    sentence = r"this training of a \w+ was not checked: add dict.type='SemiHook'"
    refuse(data_root, tmp_path, method, sentence, change)


@MODEL_WRAPPERS.register_module(force=True)
class Parallel(torch.nn.Module):
    """What the check reads of DistributedDataParallel, without processes."""

    def __init__(self, module, find_unused_parameters: bool) -> None:
        super().__init__()
        self.module, self.find_unused_parameters = module, find_unused_parameters


def test_networks_that_stop_learning_on_several_gpus():
    stops, goes_on = (build_model('psmt', warm_up=number) for number in (3, 0))
    with pytest.raises(UserError, match='set find_unused_parameters=True'):
        check_parallel(SimpleNamespace(model=Parallel(stops, False)))
    for model in (stops, Parallel(stops, True), Parallel(goes_on, False)):
        check_parallel(SimpleNamespace(model=model))


def test_crop_larger_than_the_padded_image(data_root, tmp_path):
    segmentor = tiny_segmentor()
    segmentor['data_preprocessor']['size'] = (32, 24)
    sentence = r'the labelled pipeline crops \(32, 32\), data_preprocessor.size is \(32, 24\)'
    refuse(data_root, tmp_path, 'cps', sentence, model=model_cfg('cps', segmentor))


def test_padding_in_the_unlabelled_pipeline(data_root, tmp_path):
    def change(cfg):
        steps = cfg.train_dataloader.dataset.unlabelled.pipeline
        steps.insert(len(steps) - 1, dict(type='Pad', size=(48, 48)))

    refuse(data_root, tmp_path, 'mt', 'the unlabelled pipeline has a Pad', change)


class Poison(Hook):
    """Makes the friend's weights infinite before or after an iteration."""

    def __init__(self, iteration: int, after: bool = False) -> None:
        self.iteration, self.after = iteration, after

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.poison(runner, batch_idx == self.iteration and not self.after)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.poison(runner, batch_idx == self.iteration and self.after)

    def poison(self, runner, now: bool) -> None:
        if now:
            with torch.no_grad():
                runner.model.friend.decode_head.conv_seg.weight.fill_(float('nan'))


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(data_root, tmp_path):
    cfg = tiny_runner_cfg('tsf', data_root, tmp_path, max_iters=8)
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook', by_epoch=False, interval=2, max_keep_ckpts=1
    )
    runner = make_runner(cfg)
    losses = Losses()
    runner.register_hook(losses)
    runner.register_hook(Poison(5))
    sentence = r'friend.decode.loss_ce is not finite at iteration 6'
    with pytest.raises(UserError, match=sentence):
        runner.train()
    assert len(losses.values) == 5
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_4.pth']
    state = torch.load(tmp_path / 'iter_4.pth', weights_only=False)['state_dict']
    assert all(value.isfinite().all() for value in state.values())


def test_weights_that_break_at_a_checkpoint_leave_the_one_before(data_root, tmp_path):
    cfg = tiny_runner_cfg('tsf', data_root, tmp_path, max_iters=8)
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook', by_epoch=False, interval=2, max_keep_ckpts=1
    )
    runner = make_runner(cfg)
    runner.register_hook(Poison(3, after=True), priority='HIGHEST')
    with pytest.raises(UserError, match='weights of the friend are not finite at iteration 4'):
        runner.train()
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_2.pth']


def test_checkpoint_is_refused_when_the_last_look_was_long_ago(data_root, tmp_path):
    """On a GPU losses are looked at rarely, but always before a checkpoint is written."""
    runner = make_runner(tiny_runner_cfg('cps', data_root, tmp_path, max_iters=1))
    runner.train()
    (hook,) = (h for h in runner.hooks if type(h).__name__ == 'SemiHook')
    hook._first_bad = torch.full_like(hook._first_bad, -1)
    runner.save_checkpoint(str(tmp_path), 'good.pth', by_epoch=False)
    hook._first_bad[hook._names.index('loss_cps')] = 6
    with pytest.raises(UserError, match='loss_cps is not finite at iteration 7'):
        runner.save_checkpoint(str(tmp_path), 'bad.pth', by_epoch=False)
    assert not (tmp_path / 'bad.pth').exists()


def test_snapshots_that_never_take_weights_or_predict(data_root, tmp_path):
    sentence = 'the teacher of SelfTraining takes weights where a stage ends.*ActiveLearningLoop'
    refuse(data_root, tmp_path, 'self_training', sentence)
    one_stage = dict(rounds=1, stages=[0, 4], max_iters=4)
    cfg = active_learning_cfg('self_training', data_root, tmp_path, **one_stage)
    with pytest.raises(UserError, match='no stage of this run does'):
        train(cfg)
    model = model_cfg('self_training', test_cfg=dict(predict_on='teacher'))
    cfg = active_learning_cfg('self_training', data_root, tmp_path / 'other', model=model)
    with pytest.raises(UserError, match=r"predict_on='teacher'.*leave predict_on out"):
        train(cfg)
    cfg = active_learning_cfg('self_training', data_root, tmp_path / 'third')
    cfg.custom_hooks.append(dict(type='MeanTeacherHook'))
    with pytest.raises(UserError, match='SelfTraining has no averaged network that moves'):
        train(cfg)
