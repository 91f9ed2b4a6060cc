"""Exports one network of a checkpoint as a plain MMSegmentation model.

    python tools/export_segmentor.py work_dirs/tsf/iter_2000.pth student.pth --network student

Writes a checkpoint (``OUT.pth``) and a config beside it (``OUT.py``) that
``mmseg.apis.init_model('OUT.py', 'OUT.pth')`` and MMSegmentation's own tools load without this
package.
"""

from __future__ import annotations

import argparse
import os.path as osp
import pickle

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, METRICS, MODELS, TRANSFORMS

import mmseg_tsf
from mmseg_tsf.compat import allow_checkpoint_types
from mmseg_tsf.models.segmentors.checks import network_prefixes
from mmseg_tsf.utils.cli import ToolParser, existing_file, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.settings import kind_name

# entries of a config that are handed on as they are
KEPT = ('env_cfg', 'log_level', 'log_processor', 'vis_backends', 'visualizer')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.add_argument('checkpoint', help='checkpoint of a training with this package')
    parser.add_argument(
        'out', help='file to write, ending in .pth; the config is written beside it'
    )
    parser.add_argument(
        '--network',
        help='name of the network (the one that predicts: test_cfg.predict_on)',
    )
    parser.add_argument(
        '--config', type=existing_file, help='config file (the one in the checkpoint)'
    )
    parser.share('--force')
    return parser.parse_args(argv)


def load_checkpoint(path: str) -> dict:
    """Reads a checkpoint without running code from it.

    Raises:
        UserError: No such file, or not a checkpoint.
    """
    if not osp.isfile(path):
        raise UserError(f'checkpoint {path} does not exist')
    # torch < 2.4 cannot be told which of mmengine's types are safe
    safely = hasattr(torch.serialization, 'add_safe_globals')
    allow_checkpoint_types()  # anew: mmengine takes them off the list when it has loaded a file
    checkpoint, reason = None, ''
    try:
        checkpoint = torch.load(path, map_location='cpu', weights_only=safely)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).strip().split('\n')[0]
    if reason:
        raise UserError(
            f'{path} cannot be read as a checkpoint of tensors and plain values ({reason}): keep '
            'only meta and state_dict in it, in a process that trusts the file'
        )
    if not isinstance(checkpoint, dict) or 'state_dict' not in checkpoint:
        raise UserError(f'{path} has no state_dict: give a checkpoint that mmengine has written')
    return checkpoint


def choose_network(checkpoint: dict, cfg: Config, wanted: str | None, path: str) -> str:
    """Name of the network to export: the wanted one, or the one that predicts.

    Raises:
        UserError: The checkpoint is a plain one, or has no network of that name.
    """
    found = network_prefixes(checkpoint['state_dict'])
    if not found:
        raise UserError(
            f'{path} is a plain checkpoint already: its keys begin with the name of no network'
        )
    method = checkpoint.get('meta', {}).get('method') or {}
    predicts = (cfg.model.get('test_cfg') or {}).get('predict_on') or method.get('predict_on')
    name = wanted or predicts or found[0]
    if name not in found:
        raise UserError(f'{path} has no network {name!r}: choose --network {" or ".join(found)}')
    return name


def plain_model(model: dict, network: str) -> dict:
    """Config of one network, with its preprocessor and nothing to download.

    Raises:
        UserError: The config's model wraps no segmentor.
    """
    if 'segmentor' not in model:
        raise UserError(f'model.type={model.get("type")!r} in the config wraps no segmentor')
    networks, own = model.get('networks'), model['segmentor']
    if networks:
        learner = MODELS.get(model['type']).averages.get(network, network)
        own = networks.get(learner, own)
    segmentor = _without(own, ('init_cfg', 'pretrained'))
    preprocessor = (
        model.get('data_preprocessor')
        or model['segmentor'].get('data_preprocessor')
        or dict(type='SegDataPreProcessor', size_divisor=1)
    )
    if kind_name(preprocessor) == 'SemiDataPreprocessor':
        preprocessor = preprocessor['data_preprocessor']
    return dict(segmentor, data_preprocessor=preprocessor)


def plain_dataloader(loader: dict) -> dict:
    """The loader with a data set of ours replaced by ``BaseSegDataset``."""
    loader = _without(loader, ())
    dataset = loader['dataset']
    if not _is_ours(DATASETS.get(dataset['type'])):
        return loader
    # lazily: the suffixes and the classes are wanted, not the files
    built = DATASETS.build({**dataset, 'pipeline': [], 'lazy_init': True})
    metainfo = {key: built.metainfo[key] for key in ('classes', 'palette')}
    keys = ('img_suffix', 'seg_map_suffix', 'reduce_zero_label')
    own = {key: getattr(built, key) for key in keys}
    return dict(loader, dataset=dict(dataset, type='BaseSegDataset', metainfo=metainfo, **own))


def plain_evaluator(evaluator: dict | list) -> dict | list:
    """The metrics, those of ours replaced by the stock ones that they extend."""
    if isinstance(evaluator, (list, tuple)):
        return [plain_evaluator(metric) for metric in evaluator]
    bases = METRICS.get(evaluator['type']).__mro__
    return dict(evaluator, type=next(base.__name__ for base in bases if not _is_ours(base)))


def plain_config(cfg: Config, network: str) -> Config:
    """What testing and inference of one network with MMSegmentation alone need of a config.

    Raises:
        UserError: Something of this package is left in it.
    """
    imports = (cfg.get('custom_imports') or {}).get('imports', [])
    others = [name for name in imports if name.split('.')[0] != mmseg_tsf.__name__]
    out = dict(default_scope='mmseg', model=plain_model(cfg.model, network))
    if others:
        out['custom_imports'] = dict(imports=others, allow_failed_imports=False)
    for stage in ('val', 'test'):
        if cfg.get(f'{stage}_dataloader') is not None:
            out[f'{stage}_dataloader'] = plain_dataloader(cfg[f'{stage}_dataloader'])
            out[f'{stage}_evaluator'] = plain_evaluator(cfg[f'{stage}_evaluator'])
            out[f'{stage}_cfg'] = dict(type=f'{stage.capitalize()}Loop')
    if 'test_dataloader' in out:
        out['test_pipeline'] = out['test_dataloader']['dataset']['pipeline']
    elif 'test_pipeline' in cfg:
        out['test_pipeline'] = cfg.test_pipeline
    out.update({key: cfg[key] for key in KEPT if key in cfg})
    out['default_hooks'] = dict(visualization=dict(type='SegVisualizationHook'))
    for name in _types(out):
        for registry in (DATASETS, METRICS, MODELS, TRANSFORMS):
            if _is_ours(registry.get(name)):
                raise UserError(
                    f'{name} belongs to {mmseg_tsf.__name__}: a network or pipeline that uses it '
                    'cannot be exported as a plain MMSegmentation model'
                )
    return Config(out)


def plain_checkpoint(checkpoint: dict, network: str, cfg: Config) -> dict:
    """One network's weights under MMSegmentation's names; checks that ``cfg`` describes it.

    Raises:
        UserError: The weights do not fit the config.
    """
    prefix = network + '.'
    weights = {
        key[len(prefix) :]: value
        for key, value in checkpoint['state_dict'].items()
        if key.startswith(prefix) and not key.startswith(f'{prefix}parts.')
    }
    problem = ''
    try:
        MODELS.build(cfg.model).load_state_dict(weights)
    except RuntimeError as error:
        problem = ' '.join(str(error).split())
    if problem:
        raise UserError(f'the config does not describe the network in the checkpoint: {problem}')
    meta = {'network': network, 'cfg': cfg.pretty_text}
    if 'dataset_meta' in checkpoint.get('meta', {}):
        meta['dataset_meta'] = checkpoint['meta']['dataset_meta']
    return dict(meta=meta, state_dict=weights)


def export(checkpoint_path: str, out: str, network: str | None, config: str | None) -> str:
    """Writes ``out`` and its config; returns the network's name."""
    checkpoint = load_checkpoint(checkpoint_path)
    if config is not None:
        cfg = Config.fromfile(config)
    elif 'cfg' in checkpoint.get('meta', {}):
        cfg = Config.fromstring(checkpoint['meta']['cfg'], '.py')
    else:
        raise UserError(f'{checkpoint_path} holds no config: give it with --config')
    init_default_scope('mmseg')
    network = choose_network(checkpoint, cfg, network, checkpoint_path)
    cfg = plain_config(cfg, network)
    plain = plain_checkpoint(checkpoint, network, cfg)
    with open(config_path(out), 'w') as file:
        file.write(cfg.pretty_text)
    torch.save(plain, out)
    return network


def config_path(out: str) -> str:
    """The exported config's path."""
    return osp.splitext(out)[0] + '.py'


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = parse_args(argv)
    if not args.out.endswith('.pth'):
        raise UserError(f'{args.out} must end in .pth')
    if osp.abspath(args.out) == osp.abspath(args.checkpoint):
        raise UserError(f'{args.out} is the checkpoint itself: name another file')
    for path in (args.out, config_path(args.out)):
        if osp.exists(path) and not args.force:
            raise UserError(f'{path} exists: name another file or give --force')
    network = export(args.checkpoint, args.out, args.network, args.config)
    print(f'{network} of {args.checkpoint}: {args.out}, {config_path(args.out)}')


def _is_ours(component: object) -> bool:
    module = getattr(component, '__module__', None) or ''
    return module.split('.')[0] == mmseg_tsf.__name__


def _types(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {value['type']} if isinstance(value.get('type'), str) else set()
        return own.union(*(_types(item) for item in value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*(_types(item) for item in value))
    return set()


def _without(value: object, keys: tuple[str, ...]) -> object:
    if isinstance(value, dict):
        return {key: _without(item, keys) for key, item in value.items() if key not in keys}
    if isinstance(value, (list, tuple)):
        return type(value)(_without(item, keys) for item in value)
    return value


if __name__ == '__main__':
    run_tool(main)
