"""Runs that ask for labels before they train, because no image is labelled."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny_runs import active_learning_cfg, make_runner, tiny_runner_cfg

from mmseg_tsf.utils.errors import UserError

POOL = 12


@pytest.fixture
def root(own_data_root):
    """A data set whose labelled list is empty and whose pool is all images."""
    names = own_data_root / 'labelled.txt', own_data_root / 'unlabelled.txt'
    everything = ''.join(path.read_text().rstrip('\n') + '\n' for path in names)
    names[0].write_text('')
    names[1].write_text(everything)
    return own_data_root


@pytest.mark.parametrize('start', ['continue', 'fresh'])
def test_labels_are_bought_before_the_first_step(root, tmp_path, start):
    options = dict(
        budget=dict(total=4 * POOL, per_round=2 * POOL, unit='pixels'),
        selector=dict(type='PixelSelector', suppression=0, max_per_image=2),
        first_query=dict(type='RandomQuery'),
        query=dict(type='PixelPickQuery'),
        stages=[0, 3, 3],
        start=start,
    )
    runner = make_runner(active_learning_cfg('supervised', root, tmp_path, **options))
    taught, loss = [], runner.model.loss

    def watched(inputs, data_samples):
        labels = [sample.gt_sem_seg.data for sample in data_samples['labelled']]
        taught.append(sum(int((own != 255).sum()) for own in labels))
        return loss(inputs, data_samples)

    runner.model.loss = watched
    runner.train()
    assert len(taught) == 6 and sum(taught) > 0
    lines = [json.loads(x) for x in (tmp_path / 'active_learning.jsonl').read_text().splitlines()]
    assert [line['spent']['pixels'] for line in lines] == [0, 2 * POOL, 4 * POOL]
    folder = runner.train_loop.store.label_folder(1)
    for file in (root / 'img').iterdir():
        if file.stem in (root / 'unlabelled.txt').read_text().split():
            given = np.asarray(Image.open(next(folder.rglob(f'{file.stem}.png'))))
            truth = np.asarray(Image.open(root / 'ann' / f'{file.stem}.png'))
            known = given != 255
            assert known.sum() <= 4 and (given[known] == truth[known]).all()


def test_nothing_to_train_on_is_said_before_the_first_step(root, tmp_path):
    cfg = active_learning_cfg('supervised', root, tmp_path)
    with pytest.raises(UserError, match='labelled.ann_file is empty.*0 as its first entry'):
        make_runner(cfg).train()
    cfg = tiny_runner_cfg('supervised', root, tmp_path)
    cfg.train_dataloader.dataset.update(supervise_manual=True, pool_only=True)
    with pytest.raises(UserError, match='labelled.ann_file is empty.*ActiveLearningLoop'):
        make_runner(cfg).train()
    cfg = tiny_runner_cfg('mt', root, tmp_path)
    with pytest.raises(UserError, match='labelled.txt is empty: it needs one image name'):
        make_runner(cfg).train()
