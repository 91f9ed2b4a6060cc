"""Killed and resumed equals uninterrupted, bit for bit."""

import pytest
from distributed_jobs import refined_options
from helpers import model_cfg
from mmengine.hooks import Hook
from tiny_runs import assert_equal, load_checkpoint, make_runner, tiny_runner_cfg

LAST, SAVED, KILLED = 7, 3, 5


class Watch(Hook):
    """Keeps losses and partners of every iteration; kills the run before one of them."""

    priority = 'LOW'

    def __init__(self, kill_before: int = -1) -> None:
        self.kill_before = kill_before
        self.losses: dict = {}
        self.partners: dict = {}
        self.images: dict = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if batch_idx == self.kill_before:
            raise KeyboardInterrupt
        samples = data_batch['data_samples']
        self.images[batch_idx] = [s.img_path for b in samples.values() for s in b]
        self.partners[batch_idx] = [
            (s.pool_idx, s.cutmix_class) for s in samples.get('partner', ())
        ]

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.losses[batch_idx] = {k: float(v) for k, v in outputs.items()}


def run(root, work_dir, method, workers, kill_before=-1, resume=False) -> tuple:
    """One run; a confidence bank that forgets fast makes the draws depend on every step."""
    options = dict(
        tsf=dict(momentum=0.2), mt=refined_options(), psmt=dict(turn=1, warm_up=4, noise=0.5)
    ).get(method, {})
    cfg = tiny_runner_cfg(
        method,
        root,
        work_dir,
        max_iters=LAST,
        num_workers=workers,
        partner_workers=min(workers, 1),
        model=model_cfg(method, **options),
        resume=resume,
    )
    cfg.default_hooks.checkpoint.interval = SAVED
    runner = make_runner(cfg)
    watch = Watch(kill_before)
    runner.register_hook(watch)
    loaded = count_items(runner) if workers == 0 else None
    if kill_before < 0:
        runner.train()
    else:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    return watch, loaded


def count_items(runner) -> list:
    """A list that grows by each index that the training data set is asked for."""
    loaded = []
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    dataset = runner.train_loop.dataloader.dataset
    original = type(dataset)

    class Counting(original):
        def __getitem__(self, index):
            loaded.append(index)
            return super().__getitem__(index)

    dataset.__class__ = Counting
    return loaded


@pytest.mark.parametrize(
    ('method', 'workers'),
    [('tsf', 0), ('tsf', 2), ('mt_cutmix', 0), ('mt', 0)]
    + [(name, 0) for name in ('deal', 'cct', 'gct', 'psmt', 'u2pl', 'unimatch', 'unimatch_v2')],
)
def test_killed_and_resumed_equals_uninterrupted(data_root, tmp_path, method, workers):
    whole, whole_loaded = run(data_root, tmp_path / 'whole', method, workers)
    run(data_root, tmp_path / 'killed', method, workers, kill_before=KILLED)
    resumed, resumed_loaded = run(data_root, tmp_path / 'killed', method, workers, resume=True)
    assert sorted(resumed.losses) == list(range(SAVED, LAST))  # it resumed, not restarted
    for step in range(SAVED, LAST):
        assert resumed.images[step] == whole.images[step], step
        assert resumed.partners[step] == whole.partners[step], step
        assert resumed.losses[step] == whole.losses[step], step
    name = f'iter_{LAST}.pth'
    expected, actual = (
        load_checkpoint(tmp_path / 'whole' / name),
        load_checkpoint(tmp_path / 'killed' / name),
    )
    for part in ('state_dict', 'optimizer', 'param_schedulers', 'partner_requests'):
        assert_equal(actual.get(part), expected.get(part), part)
    if method == 'tsf':
        assert expected['state_dict']['class_bank.presence'].any()
        assert len(set(map(tuple, whole.partners.values()))) > 1
    if workers == 0:
        assert len(whole_loaded) == 2 * LAST
        assert resumed_loaded == whole_loaded[2 * SAVED :]  # no skipped batch was read again


def test_checkpoint_holds_the_requests_of_the_step_that_follows_it(data_root, tmp_path):
    watch, _ = run(data_root, tmp_path, 'tsf', 0)
    saved = load_checkpoint(tmp_path / f'iter_{SAVED}.pth')
    assert saved['meta']['iter'] == SAVED
    requests = saved['partner_requests']
    assert requests['iter'] == SAVED
    pending = [(index, cls) for cls, index, _ in requests['pending'][0]]
    assert pending == watch.partners[SAVED]
