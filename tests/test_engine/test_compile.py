"""mmengine's ``compile`` key: a compiled training is the training."""

import torch
from tiny_runs import make_runner, tiny_runner_cfg


def test_compiled_run_equals_an_eager_one(data_root, tmp_path):
    states = []
    for name, options in (('eager', {}), ('compiled', dict(compile=dict(backend='eager')))):
        runner = make_runner(tiny_runner_cfg('tsf', data_root, tmp_path / name, 2, **options))
        runner.train()
        states.append(runner.model.state_dict())
    assert 'train_step' in vars(runner.model) and states[0].keys() == states[1].keys()
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-4, atol=1e-5, msg=key)
