"""docs/your_own_data.md, followed word by word on a data set made on the spot."""

import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from docs_pages import ROOT, blocks, commands
from PIL import Image

PAGE = ROOT / 'docs/your_own_data.md'
SIDE = 64
# Small enough for a test; everything else is as the page says.
PARTS = [f'train_dataloader.dataset.{part}.pipeline' for part in ('labelled', 'unlabelled')]
SMALL = [
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    *(f'{part}.2.scale=({SIDE},{SIDE})' for part in PARTS),
    *(f'{part}.3.crop_size=({SIDE},{SIDE})' for part in PARTS),
    f'model.segmentor.data_preprocessor.size=({SIDE},{SIDE})',
    'model.segmentor.backbone.widen_factor=0.25',
    'model.segmentor.decode_head.in_channels=80',
    'model.segmentor.decode_head.c1_in_channels=8',
    'model.segmentor.decode_head.channels=16',
    'env_cfg.dist_cfg.backend=gloo',
]
VALIDATION = [
    f'{name}_dataloader.{key}'
    for name in ('val', 'test')
    for key in (
        f'dataset.pipeline.1.scale=({SIDE},{SIDE})',
        'num_workers=0',
        'persistent_workers=False',
    )
]
ITERS = dict(cracks=2, cracks_al=4)
ROUNDS = ['train_cfg.selector.size=8']  # superpixels as small as the images


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with the configs' bases and 58 photographs of cracks."""
    shutil.copytree(ROOT / 'configs/_base_', tmp_path / 'configs/_base_')
    rng = np.random.default_rng(0)
    for i in range(58):
        site = f'site{i % 2 + 1}'
        image, mask = np.full((48, 56, 3), 150) + rng.integers(-30, 30, (48, 56, 1)), None
        column = rng.integers(5, 50)
        mask = np.zeros((48, 56), np.uint8)
        mask[:, column : column + 3] = 1
        image[mask == 1] -= 90
        for folder, array, suffix in (('images', image, '.jpg'), ('masks', mask, '.png')):
            path = tmp_path / f'data/cracks/{folder}/{site}/{i:04d}{suffix}'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('COLUMNS', '200')
    return tmp_path


def run(words: list[str]):
    """A command of the page, in this process, at a size that tests can afford."""
    tool = Path(words[1])
    arguments = [re.sub(r'iter_20000', f'iter_{ITERS["cracks"]}', word) for word in words[2:]]
    if tool.name in ('train.py', 'test.py'):
        iters = ITERS[Path(arguments[0]).stem]
        more = [*SMALL, *VALIDATION, *(ROUNDS if iters == ITERS['cracks_al'] else [])]
        if tool.name == 'train.py':
            more += [f'train_cfg.max_iters={iters}', f'default_hooks.checkpoint.interval={iters}']
        arguments += ['--cfg-options', *more]
    spec = importlib.util.spec_from_file_location(tool.stem, ROOT / tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(arguments)


def answer(folder: Path, checkout: Path) -> None:
    """What the person does whom the README.txt asks."""
    for request in (folder / 'requests').rglob('*.png'):
        name = request.relative_to(folder / 'requests')
        shutil.copyfile(checkout / 'data/cracks/masks' / name, folder / 'answers' / name)


def test_the_guide(checkout, capsys):
    base, rounds = blocks(PAGE, 'python')
    (checkout / 'configs/cracks.py').write_text(base)
    (checkout / 'configs/cracks_al.py').write_text(rounds)
    *steps, resume = commands(PAGE)
    for words in steps:
        run(words)
    names = (checkout / 'data/cracks/splits/1-8/labelled.txt').read_text().split()
    assert len(names) == 1 and names[0].startswith('site')
    assert (checkout / 'work_dirs/cracks/test_metrics.json').is_file()
    assert (checkout / 'cracks.pth').is_file() and (checkout / 'cracks.py').is_file()
    asked = checkout / 'work_dirs/cracks_al/annotation/round_000'
    assert str(asked.relative_to(checkout)) in capsys.readouterr().out  # said by status.py
    for number in range(3):
        answer(asked.with_name(f'round_{number:03d}'), checkout)
        run(resume)
    lines = (checkout / 'work_dirs/cracks_al/active_learning.jsonl').read_text().splitlines()
    assert '"finished"' in lines[-1]
