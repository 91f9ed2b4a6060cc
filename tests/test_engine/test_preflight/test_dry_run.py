"""What a dry run finds, says and refuses, and that nothing stays of it."""

import pytest
from helpers import REFINED, model_cfg
from mmengine.config import Config
from tiny_runs import INITIAL, active_learning_cfg, tiny_runner_cfg, validation_cfg

from mmseg_tsf.active_learning.strategies.uncertainty import EntropyQuery
from mmseg_tsf.engine.preflight import dry_run as module
from mmseg_tsf.engine.preflight.dry_run import dry_run
from mmseg_tsf.utils.errors import UserError

PIXELS = 40 * 48  # of an image


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(module, 'WARM_UP', 1)
    monkeypatch.setattr(module, 'STEPS', 1)


def test_active_learning_says_what_it_spends(data_root, tmp_path, capsys, monkeypatch):
    scored = []
    score = EntropyQuery.score
    monkeypatch.setattr(EntropyQuery, 'score', lambda *a: scored.append(1) or score(*a))
    options = dict(rounds=3, budget=dict(total=INITIAL + 301))
    cfg = active_learning_cfg('tsf', data_root, tmp_path / 'run', max_iters=8, **options)
    before = cfg.pretty_text
    found = dry_run(cfg)
    assert found['images'] == dict(labelled=5, unlabelled=7, validation=3)
    assert found['spending'] == dict(
        unit='pixels',
        initial=dict(pixels=INITIAL, images=5, regions=5, clicks=0),
        rounds=[101, 100, 100],
        total=INITIAL + 301,
        available=dict(pixels=12 * PIXELS, images=12),
    )
    seconds = found['seconds']
    assert found['validations'] == 4  # at three rounds, and at the end
    expected = 8 * seconds['step'] + 4 * seconds['validation'] + sum(seconds['queries'])
    assert len(seconds['queries']) == 3 and found['total_seconds'] == pytest.approx(expected)
    assert min(seconds['step'], seconds['validation'], *seconds['queries']) > 0
    assert len(scored) == 3  # two batches of the pool, and one that is under way meanwhile
    out = capsys.readouterr().out
    assert '5 labelled, 7 unlabelled, 3 validation images: every file was opened' in out
    assert '9,600 pixels (41.67 %), as many as in 5.0 images to begin with' in out
    assert 'round 0: at most 101 pixels (0.44 %)' in out
    assert 'in all at most 9,901 pixels (42.97 %), as many as in 5.2 images' in out
    assert 'extrapolated from 1 steps, a batch of validation, a batch of the pool' in out
    assert not (tmp_path / 'run').exists() and cfg.pretty_text == before


def test_equal_rounds_are_said_once_and_images_are_whole(data_root, tmp_path, capsys):
    options = dict(budget=dict(total=9, unit='images'), selector=dict(type='ImageSelector'))
    options['oracle'] = dict(type='FolderOracle', annotation_dir=str(tmp_path / 'people'))
    dry_run(active_learning_cfg('mt', data_root, tmp_path / 'run', **options))
    out = capsys.readouterr().out
    assert '5 images (41.67 %) to begin with' in out
    assert 'each of 2 rounds: at most 2 images (16.67 %)' in out
    assert 'in all at most 9 images (75.00 %)' in out
    assert not (tmp_path / 'people').exists()


@pytest.mark.parametrize('method', ['supervised', 'cps'])
def test_without_rounds_there_is_nothing_to_spend(method, data_root, tmp_path, capsys):
    cfg = tiny_runner_cfg(method, data_root, tmp_path / 'run', max_iters=4)
    found = dry_run(cfg)
    assert found['spending'] is None and found['validations'] == 0
    assert found['total_seconds'] == pytest.approx(4 * found['seconds']['step'])
    assert 'Labels' not in capsys.readouterr().out


def test_validations_are_counted_as_the_loop_holds_them(data_root, tmp_path):
    cfg = tiny_runner_cfg('mt', data_root, tmp_path, max_iters=7, **validation_cfg(data_root))
    cfg.train_cfg.update(val_interval=2, val_begin=4)
    assert dry_run(cfg)['validations'] == 3  # 4, 6, 7


def test_steps_are_timed_while_labels_are_refined(data_root, tmp_path, monkeypatch):
    seen = []
    measure = module.run_steps

    def watched(runner, num, after_step, start):
        model = runner.model

        def noted(step):
            seen.append((model.refinement.active, float(model.progress)))
            after_step(step)

        measure(runner, num, noted, start)

    monkeypatch.setattr(module, 'run_steps', watched)
    model = model_cfg('mt', **REFINED)
    dry_run(tiny_runner_cfg('mt', data_root, tmp_path, max_iters=8, model=model))
    assert seen == [(True, 0.5), (True, 0.625)]


def damaged(root, name: str) -> None:
    path = root / name
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ('spoil', 'text'),
    [
        (lambda root: damaged(root, 'img/frame_0.png'), 'frame_0.png cannot be read'),
        (lambda root: damaged(root, 'ann/frame_1.png'), 'ann/frame_1.png cannot be read'),
        (lambda root: damaged(root, 'img/frame_9.png'), 'img/frame_9.png cannot be read'),
        (lambda root: damaged(root, 'val_ann/1.png'), 'val_ann/1.png cannot be read'),
        (lambda root: (root / 'img/frame_9.png').unlink(), 'frame_9.png does not exist'),
        (lambda root: (root / 'ann/frame_0.png').unlink(), 'frame_0.png does not exist'),
        (lambda root: (root / 'val_ann/1.png').unlink(), 'val_ann/1.png does not exist'),
        (lambda root: (root / 'labelled.txt').unlink(), 'labelled.txt does not exist'),
    ],
)
def test_broken_data_are_found(spoil, text, own_data_root, tmp_path):
    spoil(own_data_root)
    cfg = active_learning_cfg('mt', own_data_root, tmp_path / 'run')
    with pytest.raises(UserError, match=text):
        dry_run(cfg)


def test_masks_that_nobody_reads_are_not_looked_at(own_data_root, tmp_path):
    damaged(own_data_root, 'ann/frame_9.png')  # of an unlabelled image
    dry_run(tiny_runner_cfg('cps', own_data_root, tmp_path))


def test_mistakes_in_the_config_are_found(data_root, tmp_path):
    cfg = active_learning_cfg('mt', data_root, tmp_path, budget=dict(total=INITIAL - 1))
    with pytest.raises(UserError, match='are paid already'):
        dry_run(cfg)
    cfg = tiny_runner_cfg('tsf', data_root, tmp_path)
    cfg.custom_hooks = cfg.custom_hooks[:1]
    with pytest.raises(UserError, match="'partner' is missing"):
        dry_run(cfg)
    plain = dict(type='BaseSegDataset', pipeline=[])
    cfg = Config(dict(model=model_cfg('mt'), train_dataloader=dict(dataset=plain)))
    with pytest.raises(UserError, match="wrap the training data in dict.type='SemiDataset'"):
        dry_run(cfg)
