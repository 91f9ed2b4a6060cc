"""The analysis tools on a tiny network: figures that add up, pictures that hold what they say."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import REFINED, TAPS, build_model, model_cfg
from matplotlib import image as mpl_image
from mmengine.config import Config
from PIL import Image
from tiny_runs import part_cfg, tiny_runner_cfg

from mmseg_tsf.utils.errors import UserError

ROOT = Path(__file__).parents[2]


def load_tool(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / f'tools/analysis/{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def trained(data_root, tmp_path) -> list[str]:
    """Config and checkpoint of a model with refinement, as files."""
    options = dict(REFINED, refinement=dict(taps=TAPS, min_confidence=0.33))
    cfg = tiny_runner_cfg('mt', data_root, tmp_path, model=model_cfg('mt', **options))
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(32, 32), keep_ratio=False),
        dict(type='LoadAnnotations'),
        dict(type='PackSegInputs'),
    ]
    cfg.test_dataloader = dict(dataset=part_cfg(data_root, 'unlabelled.txt', steps))
    cfg.dump(tmp_path / 'mt_tiny.py')
    state = build_model('mt', **options).state_dict()
    torch.save(dict(state_dict=state, meta={}), tmp_path / 'iter_1.pth')
    return [str(tmp_path / 'mt_tiny.py'), str(tmp_path / 'iter_1.pth')]


def test_ablation_measures_more_manual_pixels_against_the_same_labels(trained, tmp_path):
    out = tmp_path / 'plar.json'
    options = ['--shares', '0', '0.1', '--layouts', 'pixels', 'blocks', '--images', '3']
    options += ['--settings', 'paper', 'kriging, learnt weights', '--min-confidence', '0.9']
    options += ['--options', 'min_pixels=2']
    page = tmp_path / 'page.md'
    page.write_text('Before\n<!-- plar:begin -->\nold\n<!-- plar:end -->\nAfter\n')
    options += ['--json', str(out), '--markdown', str(page)]
    load_tool('plar_ablation').main([*trained, *options])
    result = json.loads(out.read_text())
    assert result['min_confidence'] == 0.33  # the model's own mask
    rows = {(r['layout'], r['share'], r['setting']): r for r in result['rows']}
    assert len(rows) == 8
    assert result['images'] == 3
    assert result['options'] == {'min_pixels': 2}
    for row in rows.values():
        gain = row['after.accuracy.inside'] - row['before.accuracy.inside']
        assert row['gain'] == pytest.approx(gain, abs=2e-3)
        assert row['after.accuracy.outside'] == row['before.accuracy.outside']
    untouched = rows['pixels', 0.0, 'kriging, learnt weights']  # nobody labelled anything
    assert untouched['gain'] == 0
    changed = [
        rows[layout, 0.1, 'kriging, learnt weights']['gain'] for layout in ('pixels', 'blocks')
    ]
    assert all(gain != 0 for gain in changed)
    text = page.read_text()
    assert text.startswith('Before\n') and text.endswith('After\n') and 'old' not in text
    assert f'| kriging, learnt weights | +0.0 | {changed[0]:+.1f} |' in text
    assert text.count('| right before, % |') == 2  # one table for each layout
    assert 'Flagged: what the EMD doubts, or a confidence below 0.33.' in text
    error = rows['blocks', 0.1, 'kriging, learnt weights']['decided.calibration_error']
    assert 0 < error < 100 and f'| kriging, learnt weights | – | {error:.1f} |' in text
    assert 'decided.calibration_error' not in rows['blocks', 0.1, 'paper']  # a vote


def test_ablation_takes_up_what_the_checkpoint_has_learnt(trained, monkeypatch):
    config, path = trained
    checkpoint = torch.load(path, weights_only=False)
    weights = {k: v for k, v in checkpoint['state_dict'].items() if 'weight_module' in k}
    for value in weights.values():
        value.add_(0.25)
    torch.save(checkpoint, path)
    tool, made = load_tool('plar_ablation'), []
    monkeypatch.setattr(tool.Ablation, 'measure', lambda self, *_: made.append(self))
    names = ['kriging', 'kriging, learnt weights']
    options = ['--images', '1', '--options', 'kriging.noise=0.5', '--settings', names[0]]
    tool.main([config, path, *options])
    tool.main([config, path, '--images', '1', '--settings', *names])
    assert made[0].refiners['kriging'].kriging.noise == 0.5
    assert made[1].refiners['kriging'].weight_module is None
    for key, value in (
        made[1].refiners['kriging, learnt weights'].weight_module.state_dict().items()
    ):
        assert torch.equal(value, weights[f'refinement.refiner.weight_module.{key}']), key


def test_ablation_of_a_model_without_learnt_weights_leaves_their_rows_out(trained, monkeypatch):
    tool, made = load_tool('plar_ablation'), []
    monkeypatch.setattr(tool.Ablation, 'measure', lambda self, *_: made.append(self))
    options = ['--images', '1', '--cfg-options', 'model.refiner.weights=equal']
    tool.main([*trained, *options])
    rows = list(made[0].refiners)
    assert 'kriging' in rows and 'paper, equal weights' in rows and 'vote, manual' in rows
    assert 'paper' not in rows and not any('learnt' in name for name in rows)
    with pytest.raises(UserError, match="--settings 'paper' has learnt weights, and the model"):
        tool.main([*trained, *options, '--settings', 'kriging', 'paper'])


def test_picture_has_a_row_per_image_and_the_panels_of_the_paper(trained, tmp_path):
    tool = load_tool('pseudo_labels')
    out = tmp_path / 'pictures' / 'labels.png'
    drawn = []
    draw = tool.draw
    tool.draw = lambda rows, *args: (drawn.extend(rows), draw(rows, *args))
    names = ['frame_6', 'frame_8']
    tool.main([*trained, '-o', str(out), '--images', *names, '--seeds', '0.1'])
    assert [name for name, _, _ in drawn] == names
    panels = drawn[0][2]
    assert list(panels) == [
        'ground truth',
        'pseudo-label',
        'confidence < 0.7',
        'confidence < 0.8',
        'confidence < 0.9',
        'error decoder',
        'true errors',
        'refined label',
        'would be asked',
    ]
    wrong = panels['pseudo-label'] != panels['ground truth']
    assert (panels['true errors'] == wrong).all()
    assert (panels['confidence < 0.7'] <= panels['confidence < 0.9']).all()
    assert mpl_image.imread(out).std() > 0.1


def test_a_model_without_a_refiner_keeps_its_own_mask():
    options = dict(REFINED, refiner=None, refinement=dict(taps=TAPS, min_confidence=0.33))
    model = build_model('mt', **options)
    own = model.refinement
    found = load_tool('pseudo_labels').refinement_of(model)
    assert found is own and found.error_head is not None and found.min_confidence == 0.33
    assert found.refiner.rule == 'vote'


def test_a_name_that_is_not_in_the_list_is_refused(trained):
    with pytest.raises(UserError, match='frame_99 is not in the unlabelled list'):
        load_tool('pseudo_labels').main([*trained, '--images', 'frame_99'])


def test_tsne_draws_as_many_pixels_of_each_class(trained, tmp_path):
    tool = load_tool('feature_tsne')
    gathered = []
    gather = tool.gather
    tool.gather = lambda *args: gathered.append(gather(*args)) or gathered[0]
    out = tmp_path / 'tsne.png'
    tool.main([*trained, '-o', str(out), '--images', '3', '--per-class', '8'])
    features, classes = gathered[0]
    assert [part.shape for part in features] == [(len(classes), 8), (len(classes), 12)]
    counts = {int(cls): int((classes == cls).sum()) for cls in set(classes.tolist())}
    assert len(counts) > 1
    assert max(counts.values()) <= 8
    assert mpl_image.imread(out).std() > 0.05


def test_class_weights_are_the_median_frequency_over_their_own(trained, capsys):
    tool = load_tool('class_weights')
    dataset = Config.fromfile(trained[0]).train_dataloader.dataset.labelled
    masks = [
        np.asarray(Image.open(Path(dataset.data_prefix.seg_map_path, f'{name}.png')))
        for name in Path(dataset.ann_file).read_text().split()
    ]
    frequency = []
    for label in range(4):
        showing = [mask for mask in masks if (mask == label).any()]
        frequency.append(sum((m == label).sum() for m in showing) / sum(m.size for m in showing))
    expected = [(np.median(frequency) / own) ** 0.5 for own in frequency]
    assert tool.main([trained[0]]) == pytest.approx(expected, abs=0.006)
    assert f'class_weight={tool.main([trained[0]])}' in capsys.readouterr().out
    assert tool.main([trained[0], '--power', '0']) == [1.0] * 4
    weights = tool.median_frequency_weights(np.array([[6, 2, 0], [4, 0, 0]]), 1.0)
    assert weights == pytest.approx(
        [(10 / 12 + 1 / 4) / 2 / (10 / 12), (10 / 12 + 1 / 4) / 2 * 4, 1]
    )
