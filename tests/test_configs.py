"""Every config in ``configs/`` builds its model and takes one step at reduced size."""

import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_tsf.models import segmentors

ROOT = Path(__file__).parents[1]
LEAVES = sorted(path for path in (ROOT / 'configs').glob('[!_]*/*.py'))
POOL, BATCH, SIZE = 10, 2, 64
STEPPED: set[str] = set()
"""Models that a test of this process has taken a step of."""


def small(value):
    """The model's config without process group and weights, and with half of ResNet-101."""
    if isinstance(value, dict):
        value = {key: small(item) for key, item in value.items()}
        if value.get('depth') == 101:
            value = {**value, 'depth': 50}
        if value.get('type') in ('TIMMVisionTransformer', 'TIMMBackbone'):
            random = 'weights' if 'weights' in value else 'pretrained'
            value = {**value, random: ''}
        return {**value, 'type': 'BN'} if value.get('type') == 'SyncBN' else value
    if isinstance(value, (list, tuple)):
        return type(value)(small(item) for item in value)
    return value


def make_batch(branches, num_classes, size=SIZE):
    """Random images and labels by branch."""
    generator = torch.Generator().manual_seed(0)
    inputs, data_samples = {}, {}
    for branch in branches:
        inputs[branch] = torch.randn(BATCH, 3, size, size, generator=generator)
        labels = torch.randint(num_classes, (BATCH, 1, size, size), generator=generator)
        if branch not in ('labelled', 'paste'):
            labels.fill_(255)
        data_samples[branch] = [
            SegDataSample(
                gt_sem_seg=PixelData(data=label),
                metainfo=dict(img_shape=(size, size), pool_idx=i, cutmix_class=i),
            )
            for i, label in enumerate(labels)
        ]
    return inputs, data_samples


def test_there_are_configs_for_every_method():
    rows = {path.stem.split('_')[0]: path for path in LEAVES}
    used = {Config.fromfile(str(path)).model.type for path in rows.values()}
    classes = {name: getattr(segmentors, name) for name in segmentors.__all__}
    methods = {name for name, own in classes.items() if hasattr(own, 'learners')}
    assert used == methods - {'SemiSegmentor'}


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_one_step(path, monkeypatch):
    if re.search('dinov2|lite0', path.stem):
        pytest.importorskip('timm')  # see `make test-timm`
    monkeypatch.chdir(ROOT)
    cfg = Config.fromfile(str(path))
    init_default_scope('mmseg')
    key = json.dumps(cfg.model.to_dict(), sort_keys=True, default=repr)
    if key in STEPPED:  # leaves that differ in their data or schedule
        return
    STEPPED.add(key)
    torch.manual_seed(0)
    model = MODELS.build(small(cfg.model.to_dict())).train()
    model.begin_stage()  # a later one, where the first has fewer parts
    if hasattr(model, 'class_bank'):
        model.class_bank.resize(POOL)
    if getattr(model, 'refinement', None) is not None:
        model.refinement.active = True
    size = 70 if '_dinov2-' in path.stem else SIZE
    losses = model.loss(*make_batch(model.required_branches, model.num_classes, size))
    total, logged = model.parse_losses(losses)
    assert all(torch.isfinite(torch.as_tensor(value)).all() for value in logged.values())
    total.backward()
    for name in model.learners:
        weight = getattr(model, name).decode_head.conv_seg.weight
        assert weight.grad is not None and weight.grad.abs().sum() > 0
    for name in model.averages:
        learns = name in model.independent  # in the warm-up
        assert all((p.grad is not None) == learns for p in getattr(model, name).parameters())


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_data_and_model_fit(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    cfg = Config.fromfile(str(path))
    active = [hook for hook in cfg.default_hooks.values() if hook]
    hooks = [hook.type for hook in active if hook.get('begin', 0) is not None]
    assert 'custom_hooks' not in cfg and hooks.count('SemiHook') == 1
    dataset = cfg.train_dataloader.dataset
    adaptive = cfg.model.type in ('AdaptiveEqualizationLearning', 'TeacherStudentFriend')
    assert ('AdaptivePartnerHook' in hooks) == adaptive
    assert (dataset.get('paste_prob') is not None) == adaptive
    method = getattr(segmentors, cfg.model.type)
    assert ('MeanTeacherHook' in hooks) == bool(set(method.averages) - set(method.snapshots))
    refined = any(cfg.model.get(key) for key in ('error_head', 'refiner', 'refinement'))
    assert ('PLARHook' in hooks) == refined
    supervised = issubclass(getattr(segmentors, cfg.model.type), segmentors.SupervisedOnly)
    no_pairs = dataset.unlabelled is None or dataset.get('pool_only', False)
    assert no_pairs == supervised
    crops = [step.crop_size for step in dataset.labelled.pipeline if 'crop_size' in step]
    assert crops == [cfg.model.segmentor.data_preprocessor.size]
    for part in filter(None, (dataset.labelled, dataset.unlabelled)):
        shipped = part.ann_file.startswith('configs/')
        assert not shipped or (ROOT / part.ann_file).is_file()
    if '_1-' in path.stem:
        fraction = '1-' + path.stem.rsplit('_1-', 1)[1].split('-')[0]
        assert f'/{fraction}/' in dataset.labelled.ann_file


def test_metafiles_list_every_config_and_no_number_of_their_own():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    folders = sorted({path.parent.name for path in LEAVES})
    assert sorted(index) == [f'configs/{folder}/metafile.yaml' for folder in folders]
    path = ROOT / 'docs/results.json'
    groups = json.loads(path.read_text())['groups'] if path.is_file() else []
    measured = {}
    for row in (row for group in groups for row in group['rows']):
        measured.setdefault(row['config'], []).append(row['miou'])
    listed = []
    for metafile in index:
        assert (ROOT / metafile).with_name('README.md').is_file()
        for model in yaml.safe_load((ROOT / metafile).read_text())['Models']:
            listed.append(model['Config'])
            numbers = [result['Metrics']['mIoU'] for result in model['Results']]
            assert numbers == measured.get(model['Config'], [])
    assert sorted(listed) == sorted(path.relative_to(ROOT).as_posix() for path in LEAVES)
