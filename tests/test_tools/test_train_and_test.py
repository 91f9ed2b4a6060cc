"""``tools/train.py`` and ``tools/test.py`` as a user runs them, on a tiny config."""

import copy
import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import SIZE, tiny_segmentor
from mmengine.config import Config
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from tiny_runs import part_cfg, tiny_runner_cfg, validation_cfg

from mmseg_tsf.utils.errors import UserError

ROOT = Path(__file__).parents[2]


def load_tool(name: str):
    spec = importlib.util.spec_from_file_location(Path(name).stem, ROOT / 'tools' / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def config(data_root, tmp_path) -> Path:
    """A TSF config file without code of the tests: ``FCNHead`` on MobileNetV2."""
    segmentor = tiny_segmentor()
    segmentor['backbone'] = dict(type='MobileNetV2', widen_factor=0.1, out_indices=(1, 6))
    segmentor['decode_head'].update(in_channels=32, in_index=1)
    model = dict(type='TeacherStudentFriend', segmentor=segmentor)
    cfg = tiny_runner_cfg('tsf', data_root, tmp_path / 'runs', max_iters=3, model=model)
    cfg.pop('work_dir')
    cfg.log_level = 'INFO'
    validation = validation_cfg(data_root)
    validation['val_evaluator']['type'] = 'ClassIoUMetric'
    cfg.update(
        copy.deepcopy(validation),
        test_dataloader=copy.deepcopy(validation['val_dataloader']),
        test_evaluator=copy.deepcopy(validation['val_evaluator']),
        test_cfg=dict(type='SemiTestLoop'),
        custom_imports=dict(imports=['mmseg_tsf']),
        visualizer=dict(type='SegLocalVisualizer', vis_backends=[], name='visualizer'),
    )
    path = tmp_path / 'tiny.py'
    cfg.dump(path)
    return path


def test_train_resume_and_test(config, tmp_path):
    train, test = load_tool('train.py'), load_tool('test.py')
    work_dir = tmp_path / 'run'
    train.main([str(config), '--work-dir', str(work_dir)])
    assert (work_dir / 'last_checkpoint').read_text().endswith('iter_3.pth')
    info = json.loads((work_dir / 'run_info.json').read_text())
    assert (info['method'], info['max_iters'], info['seed']) == ('TeacherStudentFriend', 3, 3)
    assert info['finished_iters'] == 3
    assert info['lists']['labelled']['images'] == 5

    options = ['--cfg-options', 'train_cfg.max_iters=4', 'experiment_name=resumed']
    options.append('param_scheduler.0.end=4')
    train.main([str(config), '--work-dir', str(work_dir), '--resume', *options])
    checkpoint = torch.load(work_dir / 'iter_4.pth', weights_only=False)
    assert checkpoint['meta']['iter'] == 4
    info = json.loads((work_dir / 'run_info.json').read_text())
    assert len(info['resumed_with_commit']) == 1

    options = ['--cfg-options', 'experiment_name=test']
    metrics = test.main(
        [str(config), str(work_dir / 'iter_4.pth'), '--work-dir', str(work_dir), *options]
    )
    written = json.loads((work_dir / 'test_metrics.json').read_text())
    assert (written['checkpoint'], written['metrics']) == ('iter_4.pth', metrics)
    assert {'teacher/mIoU', 'student/mIoU', 'friend/mIoU', 'student/IoU.road'} <= set(metrics)


@pytest.mark.parametrize('own', [False, True])
def test_test_time_augmentation(config, tmp_path, own, monkeypatch):
    cfg = Config.fromfile(config)
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline.insert(1, dict(type='Resize', scale=(48, 40), keep_ratio=True))
    if own:
        flips = [[dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)]]
        steps = [[step] for step in pipeline[2:]]
        cfg.tta_pipeline = [*pipeline[:2], dict(type='TestTimeAug', transforms=flips + steps)]
    cfg.dump(config)
    path = tmp_path / 'iter_0.pth'
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict(), meta={}), path)
    options = ['--work-dir', str(tmp_path), '--cfg-options', 'experiment_name=tta' + str(own)]
    plain = load_tool('test.py').main([str(config), str(path), *options])
    options[-1] += '2'
    views, merge = [], SegTTAModel.merge_preds
    note = lambda self, lists: (views.extend(map(len, lists)), merge(self, lists))[1]  # noqa: E731
    monkeypatch.setattr(SegTTAModel, 'merge_preds', note)
    metrics = load_tool('test.py').main([str(config), str(path), '--tta', *options])
    assert views == [2 if own else 6] * 3
    assert json.loads((tmp_path / 'test_metrics.json').read_text())['tta']
    assert set(metrics) == {k.split('/')[1] for k in plain} and 0 < metrics['mIoU'] < 100


@pytest.mark.parametrize('tta', [(), ('--tta',)])
def test_weights_that_would_stay_random_are_not_measured(config, tmp_path, tta):
    cfg = Config.fromfile(config)
    cfg.test_dataloader.dataset.pipeline.insert(1, dict(type='Resize', scale=(48, 40)))
    cfg.dump(config)
    state = MODELS.build(cfg.model).state_dict()
    name = 'teacher' if tta else 'friend'
    key = f'{name}.decode_head.conv_seg.bias'
    tensor, other = state.pop(key), {f'x.{k}': v for k, v in state.items() if 'friend' in k}
    sentences = {
        f'lacks 1 tensors of the {name} \\(decode_head.conv_seg.bias\\)': state,
        'fits nothing in the (teacher|student): none of its': other,
    }
    if not tta:
        sentences[f'lacks 1 tensors of the {name}'] = {**state, key: tensor[:2]}
    path = tmp_path / 'iter_0.pth'
    for i, (sentence, content) in enumerate(sentences.items()):
        torch.save(dict(state_dict=content, meta={}), path)
        options = [
            '--work-dir',
            str(tmp_path / 'out'),
            '--cfg-options',
            f'experiment_name=r{i}{len(tta)}',
        ]
        with pytest.raises(UserError, match=sentence):
            load_tool('test.py').main([str(config), str(path), *tta, *options])
    assert not (tmp_path / 'out/test_metrics.json').exists()


def test_test_time_augmentation_needs_to_know_the_size(config, tmp_path):
    torch.save({}, tmp_path / 'x.pth')
    with pytest.raises(UserError, match='--tta: the test pipeline has no Resize; set tta_pipe'):
        load_tool('test.py').main([str(config), str(tmp_path / 'x.pth'), '--tta'])


def test_tensorboard_by_one_line(config, tmp_path):
    pytest.importorskip('tensorboard')
    child = tmp_path / 'child.py'
    child.write_text(
        f"_base_ = '{config}'\n"
        "visualizer = dict(vis_backends=[dict(type='TensorboardVisBackend')])\n"
    )
    options = ['--cfg-options', 'experiment_name=board', 'default_hooks.logger.interval=1']
    options += ['visualizer.name=board']  # one of each name lives in a process
    load_tool('train.py').main([str(child), '--work-dir', str(tmp_path / 'run'), *options])
    (events,) = (tmp_path / 'run').rglob('events.out.tfevents*')
    assert b'loss_ts' in events.read_bytes()


def test_amp_leaves_a_wrapper_that_has_it_alone(monkeypatch):
    train = load_tool('train.py')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    own = dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0)
    cfg = Config(dict(optim_wrapper=dict(own)))
    train.enable_amp(cfg, 'float16')
    assert cfg.optim_wrapper == own
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    train.enable_amp(cfg, 'float16')
    assert cfg.optim_wrapper == dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')


def test_dry_run_says_what_a_training_means_and_leaves_nothing(config, tmp_path, capsys):
    train, before = load_tool('train.py'), sorted(tmp_path.rglob('*'))
    args = [str(config), '--dry-run', '--work-dir', str(tmp_path / 'run')]
    assert train.main(args) is None
    out = capsys.readouterr().out
    assert '5 labelled, 7 unlabelled, 3 validation images: every file was opened' in out
    assert 'TeacherStudentFriend: teacher, student, friend' in out
    assert 'Time    3 steps of' in out and out.endswith('Nothing was trained or written.\n')
    assert sorted(tmp_path.rglob('*')) == before
    with pytest.raises(SystemExit) as stopped:
        train.main([*args, '--resume'])
    assert stopped.value.code == 2


def test_amp_without_a_gpu_is_refused_in_one_sentence(config, capsys):
    if torch.cuda.is_available():
        pytest.skip('there is a GPU')
    from mmseg_tsf.utils.cli import run_tool

    train = load_tool('train.py')
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: train.main([str(config), '--amp']))
    assert stopped.value.code == 2
    assert '--amp needs a GPU' in capsys.readouterr().err


def test_crop_larger_than_the_padded_image_is_refused(config, tmp_path):
    options = [
        f'model.segmentor.data_preprocessor.size=({SIZE // 2},{SIZE // 2})',
        'experiment_name=crop',
    ]
    with pytest.raises(UserError, match='a crop must fit into the padded image'):
        load_tool('train.py').main(
            [str(config), '--work-dir', str(tmp_path / 'crop'), '--cfg-options', *options]
        )


def test_two_processes_without_a_gpu(config, tmp_path):
    if torch.cuda.is_available():
        pytest.skip('gloo on a CPU is meant')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    env = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2']
    command += [f'--master_port={port}', str(ROOT / 'tools/train.py'), str(config)]
    command += ['--launcher', 'pytorch', '--work-dir', str(tmp_path / 'two')]
    command += ['--cfg-options', 'train_cfg.max_iters=2']
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-6000:]
    info = json.loads((tmp_path / 'two/run_info.json').read_text())
    assert info['world_size'] == 2


def test_step_time(config, tmp_path):
    tool = load_tool('benchmark/step_time.py')
    out = tmp_path / 'step.json'
    tool.main([str(config), '--steps', '2', '--warmup', '1', '--json', str(out)])
    result = json.loads(out.read_text())
    assert result['network_calls'] == 3
    image = f'(4, 3, {SIZE}, {SIZE})'  # two of each kind; those of the teacher have partners
    backbones = [own for own in result['calls'] if own.startswith('backbone')]
    assert backbones == [
        f'backbone teacher {image} no grad',
        f'backbone student {image} grad',
        f'backbone friend {image} grad',
    ]
    heads = [own.split(' ')[1] for own in result['calls'] if own.startswith('head')]
    assert heads == ['teacher', 'student', 'friend']
    assert result['ratio_to_floor'] > 0
    assert result['ratio_to_composed'] > 0
    assert result['peak_memory_mib'] > 0


def test_step_time_against_another_config(config):
    tool = load_tool('benchmark/step_time.py')
    result = tool.main([str(config), '--against', str(config), '--steps', '2', '--warmup', '1'])
    assert result['against']['config'] == str(config)
    assert result['against']['ratio'] > 0 and result['against']['ratio_by_floors'] > 0


def test_unlabelled_masks_are_not_needed(config, tmp_path, own_data_root):
    names = (own_data_root / 'unlabelled.txt').read_text().split()
    for name in names:
        (own_data_root / 'ann' / f'{name}.png').unlink()
    cfg = part_cfg(own_data_root, 'unlabelled.txt')
    assert not Path(cfg['data_prefix']['seg_map_path'], f'{names[0]}.png').exists()
    prefix = f'train_dataloader.dataset.unlabelled.data_prefix.img_path={own_data_root}/img'
    options = [
        prefix,
        f'train_dataloader.dataset.unlabelled.data_prefix.seg_map_path={own_data_root}/ann',
        'train_cfg.max_iters=1',
        'experiment_name=unlabelled',
    ]
    load_tool('train.py').main(
        [str(config), '--work-dir', str(tmp_path / 'run'), '--cfg-options', *options]
    )
    assert (tmp_path / 'run/iter_1.pth').exists()
