"""The oracle and the exchange format of docs/extending.md work as written."""

import json

import numpy as np
import pytest
from exchange_runs import CLASSES, IDS, asked_masks, make_run
from extending import section_blocks
from mmengine.config import Config
from PIL import Image
from tiny_runs import active_learning_cfg, make_runner

from mmseg_tsf.active_learning import EXCHANGE_FORMATS, ORACLES, RoundStore, verify


@pytest.fixture
def oracle_cfg(tmp_path):
    code, config = section_blocks('An oracle')
    exec(code, {})
    (tmp_path / 'config.py').write_text(config)
    yield Config.fromfile(tmp_path / 'config.py').train_cfg.oracle
    ORACLES.module_dict.pop('VotingOracle')


@pytest.fixture
def exchange_script():
    code, script = section_blocks('An exchange format')
    exec(code, {})
    yield script
    EXCHANGE_FORMATS.module_dict.pop('via')


def test_the_oracle_answers_a_run_by_majority(oracle_cfg, data_root, tmp_path):
    cfg = active_learning_cfg('mt', data_root, tmp_path / 'run', oracle=oracle_cfg)
    make_runner(cfg).train()
    store = RoundStore(tmp_path / 'run/rounds')
    request, answer = store.request(0), store.answer(0)
    assert answer.info['who'] == 'majority of annotators' and verify(store) == []
    voters = [ORACLES.build(voter) for voter in oracle_cfg.oracles]
    votes = []
    for voter in voters:
        voter.bind(cfg.train_dataloader.dataset.unlabelled, tmp_path, len(CLASSES))
        votes.append({i: labels for i, labels, _ in voter.answer(request, None)})
    disputed = 0
    for image_id in request.images:
        labels, mask = answer.labels(image_id), request.mask(image_id)
        for place in np.argwhere(mask):
            given = [int(vote[image_id][tuple(place)]) for vote in votes]
            winners = [k for k in set(given) if k != 255 and given.count(k) >= 2]
            assert labels[tuple(place)] == (winners[0] if winners else 255)
            disputed += len(set(given)) > 1
        assert (labels[~mask] == 255).all()
    assert disputed


def test_the_exchange_format_goes_to_the_tool_and_back(exchange_script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / 'work_dirs/al')
    export, back = exchange_script.split('# ... the annotators work ...\n')
    names: dict = {}
    exec(export, names)
    path = tmp_path / 'round_0/via.json'
    content = json.loads(path.read_text())
    for name, entry in content.items():
        assert (tmp_path / 'round_0/images' / name).is_file()
        (number,) = (i for i, image_id in enumerate(IDS) if name.endswith(f'/{image_id}.png'))
        for region in entry['regions']:
            assert region['region_attributes'] == dict(label='asked')
            region['region_attributes']['label'] = CLASSES[1 + number]
        entry['regions'].append(dict(shape_attributes=dict(name='polygon', all_points_x=None)))
    path.write_text(json.dumps(content))
    exec(back, names)
    for number, image_id in enumerate(IDS):
        answer = tmp_path / f'work_dirs/al/annotation/round_000/answers/{image_id}.png'
        expected = np.where(asked_masks()[image_id], 1 + number, 255)
        assert np.array_equal(np.asarray(Image.open(answer)), expected)
