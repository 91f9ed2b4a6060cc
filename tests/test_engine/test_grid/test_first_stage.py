"""Which runs share the training before the first question, and that sharing changes nothing."""

import json
from pathlib import Path

import pytest
from grid_jobs import write_config
from tiny_runs import make_runner
from tool_loader import load_tool

from mmseg_tsf.engine.grid.first_stage import FirstStage, adopt, share_first_stages
from mmseg_tsf.engine.grid.runs import GridRun, first_boundary, hash_first_stage, plan_grid
from mmseg_tsf.utils.errors import UserError

kill_resume = load_tool('benchmark/kill_resume.py')


@pytest.fixture
def runs(tmp_path, data_root):
    """Runs of two strategies that begin every stage anew."""
    for name, query in (('random', 'RandomQuery'), ('entropy', 'EntropyQuery')):
        loop = dict(start='fresh', pool=dict(batch_size=2 if name == 'random' else 3))
        write_config(tmp_path, data_root, name, query, **loop)
    paths = [tmp_path / 'random.py', tmp_path / 'entropy.py']
    return plan_grid(paths, [5], tmp_path / 'out', {'param_scheduler.0.end': 2})


def train(cfg, folder: Path, resume: bool = False, **loop) -> None:
    cfg = cfg.copy()
    cfg.merge_from_dict(dict(work_dir=str(folder), resume=resume, randomness=dict(seed=5)))
    cfg.experiment_name, cfg.log_level = f'{folder.parent.name}_{folder.name}', 'ERROR'
    cfg.train_cfg.update(loop)
    make_runner(cfg).train()


def test_stages_that_begin_anew_share_their_initial_state_too(runs, tmp_path):
    (stage,) = share_first_stages(runs, tmp_path / 'out')
    assert stage.runs == tuple(runs) and stage.end == 2 and not stage.finished
    train(runs[0].cfg, stage.folder, type='FirstStageLoop')
    assert stage.finished and not (stage.folder / 'iter_6.pth').exists()
    run = runs[1]
    adopt(stage, run)
    (run.folder / 'last_checkpoint').unlink()  # cut off before its end
    (run.folder / 'initial.pth').unlink()
    assert not run.begun
    adopt(stage, run)
    assert run.begun and not run.finished
    train(run.cfg, run.folder, resume=True)
    train(run.cfg, tmp_path / 'alone')
    alone, shared = map(kill_resume.outcome, (tmp_path / 'alone', run.folder))
    assert kill_resume.differences(alone, shared) == []
    assert run.finished
    record = json.loads((run.folder / 'run_info.json').read_text())
    assert record['first_stage']['config'].endswith('random.py')
    assert record['config'].endswith('entropy.py')
    scalars = sorted(run.folder.glob('*/vis_data/scalars.json'))
    assert len(scalars) >= 1 and len({path.parent for path in scalars}) == len(scalars)


def test_only_new_runs_with_a_partner_share(runs, tmp_path):
    out = tmp_path / 'out'
    assert share_first_stages(runs[:1], out) == []
    (stage,) = share_first_stages(runs, out)
    stage.folder.mkdir(parents=True)
    stage.checkpoint.touch()
    (stage.folder / 'run_info.json').write_text('{"finished_iters": 1}')
    assert share_first_stages(runs[:1], out) == []  # it has not reached its end
    (stage.folder / 'run_info.json').write_text('{"finished_iters": 2}')
    assert share_first_stages(runs[:1], out) == [FirstStage(stage.folder, (runs[0],))]
    (runs[0].folder).mkdir(parents=True)
    (runs[0].folder / 'last_checkpoint').touch()
    assert share_first_stages(runs[:1], out) == []
    other = [GridRun(run.config, run.cfg, 6 + i, run.folder) for i, run in enumerate(runs)]
    assert share_first_stages(other, out) == []  # their seeds differ


def test_without_a_first_stage_nothing_is_shared(runs, tmp_path):
    for run in runs:
        run.cfg.train_cfg.update(start='continue', stages=[0, 3, 3])
        assert first_boundary(run.cfg) == 0
    assert share_first_stages(runs, tmp_path / 'out') == []


@pytest.mark.parametrize(
    ('options', 'shares'),
    [
        ({'train_cfg.budget.total': 0.5}, True),
        ({'train_cfg.selector': dict(type='GridSelector', size=8)}, True),
        ({'train_cfg.first_query': dict(type='RandomQuery')}, True),
        ({'train_cfg.oracle.type': 'NoisyOracle'}, True),
        ({'train_cfg.pool': dict(flip=True)}, True),
        ({'work_dir': 'elsewhere', 'randomness.seed': 9}, True),
        ({'train_cfg.rounds': 1}, False),
        ({'train_cfg.max_iters': 9}, False),
        ({'train_cfg.start': 'continue'}, False),
        ({'optim_wrapper.optimizer.lr': 0.5}, False),
        ({'model.segmentor.decode_head.channels': 9}, False),
        ({'train_dataloader.batch_size': 3}, False),
        ({'train_dataloader.dataset.labelled.ann_file': 'other.txt'}, False),
        ({'custom_hooks.0.check_interval': 5}, False),
    ],
)
def test_what_is_asked_later_does_not_matter_before(runs, options, shares):
    cfg = runs[1].cfg.copy()
    cfg.merge_from_dict(options)
    assert (hash_first_stage(cfg) == hash_first_stage(runs[0].cfg)) == shares


def test_a_folder_of_other_settings_is_refused(runs, tmp_path):
    folder = runs[0].folder
    folder.mkdir(parents=True)
    runs[0].cfg.dump(folder / 'random.py')
    assert len(plan(tmp_path, {})) == 1  # the settings are those of the dumped config
    with pytest.raises(UserError, match=r'lr=0.01, which is 0.5 now: give another --work-dir'):
        plan(tmp_path, {'optim_wrapper.optimizer.lr': 0.5})


def plan(tmp_path, options):
    options = {'param_scheduler.0.end': 2, **options}
    return plan_grid([tmp_path / 'random.py'], [5], tmp_path / 'out', options)
