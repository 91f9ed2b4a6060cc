"""A round with a real Label Studio: uploaded, annotated by its interface, fetched, trained on.

Outside of the default suite: `make test-label-studio` installs the server and says where it is.
"""

import json
import os
import socket
import subprocess
import time
import urllib.request

import numpy as np
import pytest
from PIL import Image
from tiny_runs import active_learning_cfg, make_runner

from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.active_learning.exchange.formats.label_studio import brush
from mmseg_tsf.active_learning.oracles.label_studio_client import LabelStudioClient

PROGRAM = os.environ.get('LABEL_STUDIO')
TOKEN = 'only-for-this-test'
CLASSES = ('road', 'sky', 'car', 'pole')

pytestmark = pytest.mark.skipif(not PROGRAM, reason='make test-label-studio runs this')


@pytest.fixture
def url(tmp_path):
    """A server of its own, with an account."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    words = [PROGRAM, 'start', '--no-browser', '--port', str(port)]
    words += ['--data-dir', str(tmp_path / 'server'), '--username', 'people@example.org']
    words += ['--password', 'not-a-secret', '--user-token', TOKEN]
    env = dict(os.environ, LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN='true', COLLECT_ANALYTICS='false')
    env.pop('PYTHONPATH', None)
    with open(tmp_path / 'server.log', 'w') as log:
        server = subprocess.Popen(words, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f'http://127.0.0.1:{port}'
        wait_for(f'{url}/health', server, tmp_path / 'server.log')
        yield url
    finally:
        server.terminate()
        server.wait(30)


def wait_for(address, server, log):
    for _ in range(600):
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


def annotate(client: LabelStudioClient, data_root) -> int:
    """Paints the truth over every whole image, as a diligent person would; counts the tasks."""
    (project,) = client._call('GET', '/api/projects/')['results']
    tasks = client.tasks(project['id'])
    for task in tasks:
        truth = np.array(Image.open(data_root / f'ann/{task["data"]["image_id"]}.png'))
        result = [brush(name, truth == i) for i, name in enumerate(CLASSES)]
        client._call('POST', f'/api/tasks/{task["id"]}/annotations/', dict(result=result))
    return len(tasks)


def test_a_round(url, data_root, tmp_path, monkeypatch):
    monkeypatch.setenv('LABEL_STUDIO_API_KEY', TOKEN)
    work_dir = tmp_path / 'run'
    oracle = dict(type='LabelStudioOracle', url=url)
    cfg = active_learning_cfg('supervised', data_root, work_dir, rounds=1, oracle=oracle)
    make_runner(cfg).train()
    assert annotate(LabelStudioClient(url, TOKEN), data_root) > 0
    again = active_learning_cfg('supervised', data_root, work_dir, rounds=1, oracle=oracle)
    again.resume = True
    make_runner(again).train()
    store = RoundStore(work_dir / 'rounds')
    assert store.answered() == [0] and verify(store) == []
    for image_id in store.request(0).images:
        truth = np.array(Image.open(data_root / f'ann/{image_id}.png'))
        asked = store.request(0).mask(image_id)
        assert np.array_equal(store.answer(0).labels(image_id)[asked], truth[asked])
    log = (work_dir / 'active_learning.jsonl').read_text().splitlines()
    assert [json.loads(line)['state'] for line in log][-1] == 'finished'
