"""What a resumed run really trains with, by value, where its settings differ from before."""

from __future__ import annotations

import copy

import pytest
import torch
from helpers import model_cfg
from mmengine.hooks import Hook
from tiny_runs import INITIAL, active_learning_cfg, load_checkpoint, make_runner, tiny_runner_cfg

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.engine import rates
from mmseg_tsf.engine.hooks import semi_hook
from mmseg_tsf.utils.errors import UserError


class Groups(Hook):
    """Notes the options of the optimiser's first group, and of a part's, in every iteration."""

    def __init__(self) -> None:
        self.values: dict[int, dict] = {}
        self.parts: dict[int, list[float]] = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        optimizer = runner.optim_wrapper.optimizer
        group = optimizer.param_groups[0]
        self.values[batch_idx] = {key: group[key] for key in group if key != 'params'}
        parts = getattr(optimizer, 'parts', {})
        self.parts[batch_idx] = [own.param_groups[0]['lr'] for own in parts.values()]

    def rates(self) -> list[float]:
        return [self.values[step]['lr'] for step in sorted(self.values)]


def train(root, work_dir, max_iters=4, resume=False, method='mt', change=None, end=None, **more):
    cfg = tiny_runner_cfg(method, root, work_dir, max_iters, resume=resume, **more)
    if end is not None:
        cfg.param_scheduler[0].end = end
    if change is not None:
        change(cfg)
    return run(cfg)


def run(cfg) -> Groups:
    runner = make_runner(cfg)
    groups = Groups()
    runner.register_hook(groups)
    runner.train()
    return groups


def poly(lr: float, end: int, power: float = 0.9) -> list[float]:
    """The rates of mmengine's PolyLR, by its formula: 0 in the last iteration."""
    return [lr * (1 - step / (end - 1)) ** power for step in range(end)]


@pytest.fixture
def said(monkeypatch) -> list[str]:
    texts = []
    monkeypatch.setattr(semi_hook, 'print_log', lambda text, *_: texts.append(text))
    return texts


@pytest.fixture
def trained(data_root, tmp_path) -> Groups:
    """A finished run of 4 iterations in ``tmp_path``."""
    groups = train(data_root, tmp_path)
    assert groups.rates() == pytest.approx(poly(1e-2, 4))
    return groups


def test_an_extended_run_goes_on_at_the_rates_of_the_longer_schedule(trained, data_root, tmp_path):
    groups = train(data_root, tmp_path, 8, resume=True)
    assert sorted(groups.values) == [4, 5, 6, 7]
    assert groups.rates() == pytest.approx(poly(1e-2, 8)[4:])
    saved = load_checkpoint(tmp_path / 'iter_8.pth')['param_schedulers'][0]
    assert (saved['end'], saved['total_iters'], saved['_global_step']) == (8, 7, 8)


def test_an_extended_run_whose_schedule_has_ended_is_refused(trained, data_root, tmp_path):
    sentence = r'learning rate is 0 from iteration 4 to 8, .* let param_scheduler end later'
    with pytest.raises(UserError, match=sentence):
        train(data_root, tmp_path, 8, resume=True, end=4)
    assert not (tmp_path / 'iter_8.pth').exists()
    changed = train(data_root, tmp_path, 8, True, end=4, change=set_minimum)
    assert changed.rates() == pytest.approx([1e-3] * 4)


def set_minimum(cfg) -> None:
    cfg.param_scheduler[0].eta_min = 1e-3


def set_optimizer(cfg, **options) -> None:
    cfg.optim_wrapper.optimizer.update(options)


def test_options_of_the_optimiser_hold_and_its_state_is_kept(data_root, tmp_path, said):
    train(data_root, tmp_path, 6, change=save_each)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_3.pth'))
    before = load_checkpoint(tmp_path / 'iter_3.pth')['optimizer']['state']
    states = []

    class State(Hook):
        def before_train(self, runner):
            states.append(copy.deepcopy(runner.optim_wrapper.optimizer.state_dict()['state']))

    cfg = tiny_runner_cfg('mt', data_root, tmp_path, 6, resume=True)
    set_optimizer(cfg, lr=2e-3, weight_decay=0.3, betas=(0.8, 0.95))
    runner = make_runner(cfg)
    groups = Groups()
    runner.register_hook(groups)
    runner.register_hook(State())
    runner.train()
    first = groups.values[3]
    assert groups.rates() == pytest.approx(poly(2e-3, 6)[3:])
    assert (first['weight_decay'], tuple(first['betas'])) == (0.3, (0.8, 0.95))
    assert before.keys() == states[0].keys() != set()
    for key, own in before.items():
        assert torch.equal(own['exp_avg'], states[0][key]['exp_avg'])
    for key, pair in dict(lr='0.01, is 0.002', betas='None, is [0.8, 0.95]').items():
        text = f'Resumed run: optim_wrapper.optimizer.{key} was {pair} from now on'
        assert text in said


def save_each(cfg) -> None:
    cfg.default_hooks.checkpoint.update(interval=1)


def test_without_a_change_nothing_is_replaced(trained, data_root, tmp_path, monkeypatch, said):
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_4.pth'))
    monkeypatch.setattr('mmseg_tsf.engine.resume_settings._move_to', None)  # never called
    assert train(data_root, tmp_path, resume=True).values == {}
    assert said == []


def test_checkpoints_without_settings_are_compared_by_value(trained, data_root, tmp_path, said):
    path = tmp_path / 'iter_4.pth'
    checkpoint = load_checkpoint(path)
    del checkpoint['meta']['settings'], checkpoint['meta']['world_size']
    torch.save(checkpoint, path)
    groups = train(data_root, tmp_path, 8, True, change=lambda cfg: set_optimizer(cfg, lr=0.5))
    assert groups.rates() == pytest.approx(poly(0.5, 8)[4:])
    assert 'Resumed run: optimizer.initial_lr was 0.01, is 0.5 from now on' in said
    with pytest.raises(UserError, match='learning rate is 0 from iteration'):
        torch.save(checkpoint, path)
        (tmp_path / 'last_checkpoint').write_text(str(path))
        train(data_root, tmp_path, 8, True, end=4)


def test_schedules_of_another_type_and_number_hold(trained, data_root, tmp_path):
    def change(cfg):
        cfg.param_scheduler = [
            dict(type='LinearLR', start_factor=0.5, begin=0, end=3, by_epoch=False),
            dict(type='StepLR', step_size=2, gamma=0.1, by_epoch=False),
        ]

    whole = train(data_root, tmp_path / 'whole', 8, change=change)
    groups = train(data_root, tmp_path, 8, True, change=change)
    assert groups.rates() == whole.rates()[4:] != []

    def constant(cfg):
        cfg.param_scheduler = None

    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_4.pth'))
    assert train(data_root, tmp_path, 8, True, change=constant).rates() == [1e-2] * 4


@pytest.mark.parametrize('with_settings', [True, False])
def test_an_optimiser_of_another_type_is_refused(trained, data_root, tmp_path, with_settings):
    path = tmp_path / 'iter_4.pth'
    if not with_settings:
        checkpoint = load_checkpoint(path)
        del checkpoint['meta']['settings']
        torch.save(checkpoint, path)
    before = path.read_bytes()

    def change(cfg):
        cfg.optim_wrapper.optimizer = dict(type='SGD', lr=1e-2)

    sentence = 'optim_wrapper.optimizer.type was AdamW and is SGD, .*: restore the former settings'
    if not with_settings:
        sentence = 'the optimizer was of another type .*: restore the former settings'
    with pytest.raises(UserError, match=sentence):
        train(data_root, tmp_path, 8, True, change=change)
    assert path.read_bytes() == before


def test_groups_and_models_that_do_not_fit_are_refused(trained, data_root, tmp_path):
    def with_groups(cfg):
        keys = dict(decode_head=dict(lr_mult=10.0))
        cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=keys)

    with pytest.raises(UserError, match='parameters in 1 groups and has .* its state does not fit'):
        train(data_root, tmp_path, 8, True, change=with_groups)

    def wider(cfg):
        cfg.model.segmentor.decode_head.channels = 10

    with pytest.raises(UserError, match=r'others in shape, for 8 parameters .*teacher.decode_head'):
        train(data_root, tmp_path, 8, True, change=wider)
    weights = dict(state_dict=load_checkpoint(tmp_path / 'iter_4.pth')['state_dict'])
    for content, sentence in (
        (weights, 'the checkpoint holds weights alone'),
        (dict(weights, meta=dict(iter=4, epoch=0)), 'no state of the optimiser'),
    ):
        torch.save(content, tmp_path / 'iter_4.pth')
        with pytest.raises(UserError, match=sentence):
            train(data_root, tmp_path, 8, True)


def test_batch_size_and_seed_are_told_truly(trained, data_root, tmp_path, said, monkeypatch):
    warned = []
    monkeypatch.setattr(
        'mmseg_tsf.engine.resume_settings.print_log', lambda text, *_: warned.append(text)
    )

    def change(cfg):
        cfg.train_dataloader.batch_size = 3
        cfg.randomness.seed = 8

    train(data_root, tmp_path, 8, True, change=change)
    text = 'train_dataloader.batch_size was 2, is 3 (the order of the images is another)'
    assert f'Resumed run: {text} from now on' in said
    assert warned == ['randomness.seed=8 is not used: a resumed run keeps its seed, 3']
    assert load_checkpoint(tmp_path / 'iter_8.pth')['meta']['seed'] == 3


def test_parts_with_an_optimiser_of_their_own_follow_their_config(data_root, tmp_path):
    def change(cfg, lr=None):
        cfg.model = model_cfg('gct', detector=dict(channels=4), **(lr or {}))

    first = train(data_root, tmp_path, method='gct', change=change)
    assert first.parts[0] != []
    groups = train(data_root, tmp_path, 8, True, method='gct', change=change)
    whole = train(data_root, tmp_path / 'whole', 8, method='gct', change=change)
    assert groups.rates() == whole.rates()[4:]
    assert [groups.parts[i] for i in range(4, 8)] == [whole.parts[i] for i in range(4, 8)]


def rounds(root, work_dir, resume=False, end=None, lr=None, **options) -> Groups:
    cfg = active_learning_cfg('mt', root, work_dir, **options)
    cfg.resume = resume
    if end is not None:
        cfg.param_scheduler[0].end = end
    if lr is not None:
        cfg.optim_wrapper.optimizer.lr = lr
    return run(cfg)


def test_a_round_more_is_trained_on_at_the_rates_of_the_longer_schedule(data_root, tmp_path):
    rounds(data_root, tmp_path)
    more = dict(rounds=3, max_iters=8, budget=dict(total=INITIAL + 401))
    before = len(list((tmp_path / 'rounds').glob('round_*')))
    with pytest.raises(UserError, match='learning rate is 0 from iteration 6 to 8'):
        rounds(data_root, tmp_path, True, end=6, **more)
    assert len(list((tmp_path / 'rounds').glob('round_*'))) == before == 2
    assert RoundStore(tmp_path / 'rounds').campaign()['rounds'] == 2  # not even that is changed
    groups = rounds(data_root, tmp_path, True, **more)
    assert groups.rates() == pytest.approx(poly(1e-2, 8)[6:])
    assert len(RoundStore(tmp_path / 'rounds').answered()) == 3


def test_a_stage_of_one_iteration_may_be_the_last_of_its_schedule(data_root, tmp_path):
    rates = rounds(data_root, tmp_path, max_iters=3, end=3).rates()
    assert rates == pytest.approx(poly(1e-2, 3)) and rates[2] == 0
    with pytest.raises(UserError, match='learning rate is 0 from iteration 2 to 3'):
        rounds(data_root, tmp_path / 'ended', max_iters=3, end=2)


def test_a_stage_without_a_learning_rate_is_refused_at_the_start(data_root, tmp_path):
    with pytest.raises(UserError, match='learning rate is 0 from iteration 4 to 6'):
        rounds(data_root, tmp_path, end=4)
    assert not (tmp_path / 'rounds/campaign.json').exists()


def test_fresh_stages_restart_with_the_settings_of_now(data_root, tmp_path):
    options = dict(start='fresh', end=2)
    assert rounds(data_root, tmp_path, **options).rates() == pytest.approx(poly(1e-2, 2) * 3)
    more = dict(options, rounds=3, max_iters=8, budget=dict(total=INITIAL + 401), lr=0.5)
    assert rounds(data_root, tmp_path, True, **more).rates() == pytest.approx(poly(0.5, 2))


def test_rates_of_a_long_training_are_known_at_once(data_root, tmp_path, monkeypatch):
    """Warm-up, decay and groups with factors, against a real optimiser that is stepped."""

    def change(cfg):
        cfg.param_scheduler = [
            dict(type='LinearLR', start_factor=1e-3, begin=0, end=5, by_epoch=False),
            dict(type='PolyLR', power=0.9, begin=5, end=20, eta_min=1e-5, by_epoch=False),
        ]
        keys = dict(decode_head=dict(lr_mult=10.0))
        cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=keys)

    found = []
    monkeypatch.setattr(semi_hook, 'start_record', lambda runner, _: found.append(fresh(runner)))

    def fresh(runner):
        return rates.highest_rates(runner, [(i, i + 1) for i in range(20)])

    class Highest(Hook):
        def __init__(self):
            self.values = []

        def before_train_iter(self, runner, batch_idx, data_batch=None):
            groups = runner.optim_wrapper.optimizer.param_groups
            self.values.append(max(group['lr'] for group in groups))

    cfg = tiny_runner_cfg('supervised', data_root, tmp_path, 20)
    change(cfg)
    runner = make_runner(cfg)
    highest = Highest()
    runner.register_hook(highest)
    runner.train()
    assert highest.values == pytest.approx([rate * 0.1 for rate in found[0]])
