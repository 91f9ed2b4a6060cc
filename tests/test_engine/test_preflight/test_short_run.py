"""Steps that are those of a training, and of which nothing stays."""

import torch
from tiny_runs import active_learning_cfg, make_runner, tiny_runner_cfg

from mmseg_tsf.engine.preflight.short_run import run_steps, short_run
from mmseg_tsf.utils.runner import unwrap


def test_steps_are_those_of_the_training_and_leave_nothing(data_root, tmp_path):
    cfg = tiny_runner_cfg('tsf', data_root, tmp_path / 'run', max_iters=2)
    cfg.default_hooks.checkpoint.interval = 1
    before = cfg.pretty_text
    done = []
    with short_run(cfg) as runner:
        run_steps(runner, 2, done.append)
        found = unwrap(runner).state_dict()
        assert not list(tmp_path.rglob('*.pth')) and runner.work_dir != str(tmp_path / 'run')
    assert done == [1, 2]
    assert not (tmp_path / 'run').exists() and cfg.pretty_text == before
    whole = make_runner(cfg)
    whole.train()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(found[name], value), name


def test_no_round_is_held_and_nothing_validated(data_root, tmp_path):
    folder = tmp_path / 'people'
    oracle = dict(type='FolderOracle', annotation_dir=str(folder))
    cfg = active_learning_cfg('mt', data_root, tmp_path / 'run', oracle=oracle)
    cfg.train_cfg.val_interval = 1
    with short_run(cfg) as runner:
        runner.val_loop.run = None  # would raise
        run_steps(runner, 10, lambda _: None)
        assert runner.iter == runner.max_iters - 1  # the last step is not counted any more
    assert not folder.exists() and not (tmp_path / 'run').exists()


def test_ramps_are_where_they_are_asked_to_be_or_where_the_checkpoint_was(data_root, tmp_path):
    cfg = tiny_runner_cfg('mt', data_root, tmp_path / 'run', max_iters=8)
    cfg.default_hooks.checkpoint.interval = 4
    make_runner(cfg).train()
    cfg.load_from = str(tmp_path / 'run/iter_4.pth')
    progress = []
    for start in (None, 0, 6):
        with short_run(cfg) as runner:
            model = unwrap(runner)
            run_steps(runner, 1, lambda _, m=model: progress.append(float(m.progress)), start)
    assert progress == [0.5, 0.0, 0.75]
