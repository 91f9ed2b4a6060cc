"""The loop of every active-learning config builds on its lists, and spends what its name says."""

import itertools
import os
import re
from pathlib import Path
from unittest import mock

import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image
from tiny_runs import make_runner

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / 'configs/active_learning').glob('*.py'))
SHARES = re.compile(r'_(\d+)p(?:-(\d+)p)?-\d+x\d+$')  # _15p-9p-320x320, _40p-320x320
AMOUNTS = re.compile(r'_(\d+)-(\d+)-\d+x\d+$')  # images: _300-900-688x688
PIXELS = re.compile(r'_(\d+)px-\d+x\d+$')  # of every image: _20px-360x480
INITIAL = 0.15  # where the name has the total alone


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """A folder with the configs and, as far as a test has asked for them, their data."""
    folder = tmp_path_factory.mktemp('home')
    (folder / 'configs').symlink_to(ROOT / 'configs')
    return folder


def make_part(part, share):
    """Gives each image of a list the same blank file; makes a list up that is not shipped."""
    path = Path(part.ann_file)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(f'{path.stem}_{i}\n' for i in range(round(200 * share))))
    dataset = DATASETS.build(dict(part, lazy_init=True, pipeline=[]))
    suffixes = dict(img_path=dataset.img_suffix, seg_map_path=dataset.seg_map_suffix)
    blank = Path('blank.png')
    Image.new('L', (16, 16), 1).save(blank)  # 0 is void where a set reduces its labels
    for key, suffix in suffixes.items():
        for name in path.read_text().split():
            file = Path(part.data_prefix[key], name + suffix)
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                os.link(blank, file)


def make_loop(cfg, work_dir):
    """The training loop of a config, without its workers."""
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.work_dir, cfg.log_level = str(work_dir), 'ERROR'
    # laying the config out for the log takes longer than all the rest
    with mock.patch.object(Config, 'pretty_text', ''):
        return make_runner(cfg).build_train_loop(cfg.train_cfg)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_rounds(path, home, tmp_path, monkeypatch):
    monkeypatch.chdir(home)
    cfg = Config.fromfile(str(path))
    found = SHARES.search(path.stem)
    first, more = found.groups() if found else (None, None)
    initial = int(first) / 100 if more else INITIAL
    dataset = cfg.train_dataloader.dataset
    make_part(dataset.labelled, initial)
    make_part(dataset.unlabelled, 1 - initial)
    for part in (dataset.labelled, dataset.unlabelled):
        part.serialize_data = False  # which collects garbage, for seconds

    loop = make_loop(cfg, tmp_path)

    facts, budget = loop.campaign.facts, loop.campaign.budget
    if found:
        assert facts['initial']['images'] / facts['available']['images'] == pytest.approx(
            initial, abs=2e-3
        )
        assert budget.total == pytest.approx((int(first) + int(more or 0)) / 100)
    amounts = AMOUNTS.search(path.stem)
    if amounts:
        first, more = map(int, amounts.groups())
        assert (facts['initial']['images'], budget.total) == (first, first + more)
        assert budget.unit == 'images'
    each = PIXELS.search(path.stem)
    if each:
        assert facts['initial']['images'] == 0 and budget.unit == 'pixels'
        assert budget.total == int(each[1]) * len(loop.campaign.pool)
    assert len(loop.boundaries) == cfg.train_cfg.rounds
    borders = [0, *loop.boundaries, cfg.train_cfg.max_iters]
    stages = {end - begin for begin, end in itertools.pairwise(borders)}
    # rates fall over what is trained in one go
    lasts = {max(stages)} if loop.start == 'fresh' else {cfg.train_cfg.max_iters}
    assert {scheduler.end for scheduler in cfg.param_scheduler} == lasts
