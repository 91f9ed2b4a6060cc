"""Accumulated gradients against the loop written out."""

import copy
import itertools

import pytest
import torch
from mmengine.hooks import Hook
from tiny_runs import make_runner, tiny_runner_cfg

COUNTS, UPDATES, RATE, DECAY = 2, 2, 0.05, 0.9
METHODS = ('cct', 'gct', 'psmt', 'u2pl', 'unimatch', 'unimatch_v2', 'ael')


class Recorder(Hook):
    """Keeps the model at the start, what every iteration begins with, and what it leaves behind."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.steps, self.states = [], []

    def before_train(self, runner) -> None:
        self.model = copy.deepcopy(runner.model)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.steps.append(
            dict(
                random=torch.get_rng_state(),
                progress=float(runner.model.progress),
                data=copy.deepcopy(data_batch),
            )
        )

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.states.append(copy.deepcopy(runner.model.state_dict()))


def by_hand(model, steps) -> dict:
    """State after the recorded iterations."""
    learners = [p for name in model.learners for p in getattr(model, name).parameters()]
    optimizers = [torch.optim.SGD(learners, lr=RATE)]
    if hasattr(model, 'decoders'):
        optimizers[0].add_param_group(dict(params=list(model.decoders.parameters())))
    if hasattr(model, 'detector'):
        adam = torch.optim.Adam(model.detector.parameters(), lr=1e-4, betas=(0.9, 0.99))
        optimizers.append(adam)
    for number, step in enumerate(steps):
        data = model.data_preprocessor(step['data'], training=True)
        torch.set_rng_state(step['random'])
        model.iteration = number
        model.progress.fill_(step['progress'])
        losses = model.loss(data['inputs'], data['data_samples'])
        loss = sum(value.mean() for name, value in losses.items() if 'loss' in name)
        (loss / COUNTS).backward()
        if number % COUNTS < COUNTS - 1:
            continue
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        for average in model.averages_to_move(number):
            update = number // COUNTS
            kept = DECAY if average in model.independent else min(1 - 1 / (update + 1), DECAY)
            follow(getattr(model, average), getattr(model, model.averages[average]), kept)
    return model.state_dict()


def follow(average, learner, kept: float) -> None:
    """Moves the parameters of an average one by one."""
    with torch.no_grad():
        for mine, theirs in zip(average.parameters(), learner.parameters(), strict=True):
            mine.copy_(kept * mine + (1 - kept) * theirs)


@pytest.mark.parametrize('method', METHODS)
def test_two_batches_for_each_update(data_root, tmp_path, method):
    cfg = tiny_runner_cfg(method, data_root, tmp_path, max_iters=COUNTS * UPDATES)
    optimizer = dict(type='SGD', lr=RATE)
    cfg.optim_wrapper = dict(type='OptimWrapper', optimizer=optimizer, accumulative_counts=COUNTS)
    cfg.param_scheduler = None
    runner, recorder = make_runner(cfg), Recorder()
    runner.register_hook(recorder)
    runner.train()
    start = copy.deepcopy(recorder.model.state_dict())
    expected = by_hand(recorder.model, recorder.steps)
    for name, value in expected.items():
        torch.testing.assert_close(recorder.states[-1][name], value, rtol=1e-4, atol=1e-6, msg=name)
    check_pace(runner.model, [start, *recorder.states])


def check_pace(model, states: list) -> None:
    """Networks move with the updates; queues and banks with the iterations."""
    weights = {name for name, _ in model.named_parameters()}

    def moved(names) -> list[bool]:
        pairs = itertools.pairwise(states)
        return [any(not torch.equal(a[name], b[name]) for name in names) for a, b in pairs]

    for network in model.network_names:
        names = [name for name in weights if name.startswith(f'{network}.')]
        is_update = [i % COUNTS == COUNTS - 1 for i in range(COUNTS * UPDATES)]
        if network in model.averages:
            turns = [network in model.averages_to_move(i) for i in range(COUNTS * UPDATES)]
            is_update = [a and b for a, b in zip(is_update, turns, strict=True)]
        assert moved(names) == is_update, network
    memory = [name for name in states[0] if name.startswith(('queues.', 'confidence_bank.'))]
    assert all(moved(memory)) == bool(memory)
