"""``tools/browse_batch.py``: pictures of what a tiny model is fed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from PIL import Image
from tiny_runs import INITIAL, PALETTE, active_learning_cfg, make_runner, tiny_runner_cfg
from tool_loader import load_tool


@pytest.fixture(scope='module')
def tool():
    return load_tool('browse_batch.py')


def write(cfg, path) -> str:
    cfg.dump(path)
    return str(path)


def colours(path: Path) -> set:
    return set(map(tuple, np.asarray(Image.open(path).convert('RGB')).reshape(-1, 3).tolist()))


@pytest.mark.parametrize(
    ('method', 'num', 'branches'),
    [
        ('tsf', 1, ['labelled', 'unlabelled']),
        ('supervised', 2, ['labelled']),
        ('self_training', 1, ['labelled', 'unlabelled']),  # as in its later generations
        ('unimatch', 1, ['features', 'labelled', 'strong', 'strong_2', 'weak']),
    ],
)
def test_every_branch_of_every_step_is_drawn(
    tool, method, num, branches, data_root, tmp_path, capsys
):
    cfg = tiny_runner_cfg(method, data_root, tmp_path / 'run', max_iters=9)
    if method == 'supervised':
        cfg.train_dataloader.dataset.pool_only = True
    out = tmp_path / 'out'
    tool.main([write(cfg, tmp_path / 'c.py'), '-o', str(out), '--batches', str(num)])
    names = sorted(f'batch_00{i}_{branch}.png' for i in range(num) for branch in branches)
    assert sorted(path.name for path in out.iterdir()) == names
    assert f'{len(names)} pictures in {out}' in capsys.readouterr().out
    for name in names:
        found = colours(out / name)
        shown = [tuple(colour) in found for colour in PALETTE]
        assert all(shown) or name.endswith('_weak.png')  # on which nothing is taught
    assert not (tmp_path / 'run').exists()


def test_pictures_are_the_images_before_normalisation(tool):
    image = torch.randint(256, (3, 5, 6), dtype=torch.uint8)  # BGR, as loaded
    for to_rgb in (False, True):
        cfg = dict(type='SegDataPreProcessor', mean=[9, 99, 199], std=[3, 30, 60], size=(8, 8))
        preprocessor = MODELS.build(dict(cfg, bgr_to_rgb=to_rgb, pad_val=0))
        fed = preprocessor(dict(inputs=[image], data_samples=None))['inputs']
        (picture,) = tool.to_pictures(fed, preprocessor)
        expected = image.permute(1, 2, 0).numpy()[..., ::-1] / 255
        np.testing.assert_allclose(picture[:5, :6], expected, atol=1e-5)


def test_a_trained_network_and_the_answers_of_people(tool, data_root, tmp_path):
    budget = dict(total=INITIAL + 2000)
    cfg = active_learning_cfg('cps', data_root, tmp_path / 'run', budget=budget)
    cfg.model.manual_weight = 1.0
    make_runner(cfg).train()
    cfg.train_dataloader.dataset.manual_labels = str(tmp_path / 'run/rounds/labels')
    fed, drawn = [], tool.draw_step
    tool.draw_step = lambda step, *more: [fed.append(step), *drawn(step, *more)][1:]
    try:
        args = ['-o', str(tmp_path / 'out'), '--batches', '1']
        args += ['--load-from', str(tmp_path / 'run/iter_4.pth')]
        tool.main([write(cfg, tmp_path / 'c.py'), *args])
    finally:
        tool.draw_step = drawn
    titles = [lesson.title for lesson in fed[0].taught['unlabelled']]
    assert titles.count('student learns from people') == 1
    manual = next(x for x in fed[0].taught['unlabelled'] if x.title == 'student learns from people')
    assert (manual.weight > 0).any()
    assert (tmp_path / 'out/batch_000_unlabelled.png').is_file()


def test_mistakes_end_with_2(tool, data_root, tmp_path, capsys):
    path = write(tiny_runner_cfg('mt', data_root, tmp_path), tmp_path / 'c.py')
    for args, text in (
        (['none.py', '-o', 'out'], 'none.py does not exist'),
        ([path], 'required: -o/--out'),
        ([path, '-o', 'out', '--batches', '0'], '--batches 0 must be at least 1'),
        ([path, '-o', 'out', '--load-from', 'none.pth'], 'none.pth does not exist'),
    ):
        with pytest.raises(SystemExit) as stopped:
            tool.main(args)
        assert stopped.value.code == 2 and text in capsys.readouterr().err
