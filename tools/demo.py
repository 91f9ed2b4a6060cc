"""The demo: trains a supervised model, TSF, and TSF with active learning on a generated street.

The demo generates the data set and trains a model on ten labelled images. Three trainings of the
same length continue from its weights: supervised, TSF, and TSF that requests labels of single
pixels from a simulated annotator in rounds. The labelled images show sunny streets; the unlabelled
and the held-out images show streets in any weather. The demo prints the IoU of each class, and
writes side-by-side pictures and the curve of mIoU against labels to ``work_dirs/demo``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from mmengine.config import Config
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from mmseg_tsf.active_learning.store.round_log import RoundLog
from mmseg_tsf.demo.data_set import CLASSES, PALETTE, generate
from mmseg_tsf.reporting.drawing.grid import colour
from mmseg_tsf.reporting.page import write_report
from mmseg_tsf.reporting.run_reader import main_network, read_info, score_key
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError

ROOT = Path('work_dirs/demo')
METHODS = {'supervised': 'Supervised', 'tsf': 'TSF', 'active_learning': 'TSF + AL'}
START = 'start'
"""Folder of the supervised training from whose weights all methods continue."""
NUM_LABELLED = 10
NUM_VAL = 60
NUM_PICTURES = 6


def find_config(method: str) -> Path:
    """Path of the demo config of a method.

    Raises:
        UserError: If the tool does not run in the project's root folder.
    """
    found = sorted(Path('configs', method).glob('*demo-street*.py'))
    if not found:
        raise UserError(
            f'configs/{method}/*demo-street*.py not found: run the demo from the root folder'
        )
    return found[0]


def run_all(console: Console, what: str, commands: dict[str, list[str]]) -> None:
    """Runs one command per folder in parallel, with output to log files and progress on screen.

    Raises:
        UserError: If a command failed.
    """
    began = time.perf_counter()
    env = dict(os.environ, OMP_NUM_THREADS=str(max(1, (os.cpu_count() or 2) // len(commands))))
    env['PYTHONPATH'] = os.pathsep.join(filter(None, (os.getcwd(), env.get('PYTHONPATH'))))
    logs, processes = {}, {}
    for method, command in commands.items():
        logs[method] = ROOT / method / f'{what}.log'
        logs[method].parent.mkdir(parents=True, exist_ok=True)
        with open(logs[method], 'w') as file:
            command = [sys.executable, *command]
            processes[method] = subprocess.Popen(command, stdout=file, stderr=file, env=env)
    with console.status(f'{what} ...') as status:
        while any(process.poll() is None for process in processes.values()):
            time.sleep(1)
            shown = (f'{method} {last_step(log)}' for method, log in logs.items())
            status.update(f'{what}: {" | ".join(shown)}')
    for method, process in processes.items():
        if process.returncode:
            raise UserError(
                f'{what} of {method} failed with exit status {process.returncode}: '
                f'see {logs[method]}'
            )
    console.print(f'{what}: {time.perf_counter() - began:.0f} s (logs: {ROOT}/*/{what}.log)')


def last_step(log: Path) -> str:
    """Progress of a tool according to its log: ``[100/300]``."""
    steps = re.findall(r'Iter\(\w+\) (\[ *\d+/\d+\])', log.read_text())
    return steps[-1] if steps else 'starting'


def train_and_test(console: Console) -> dict[str, dict[str, float]]:
    """Trains all methods, tests their last checkpoints and returns the metrics by method."""
    weights = train_start(console)
    configs = {method: str(find_config(method)) for method in METHODS}
    folders = {method: str(ROOT / method) for method in METHODS}
    commands = {
        method: [*train(config, folders[method]), '--cfg-options', f'load_from={weights}']
        for method, config in configs.items()
    }
    run_all(console, 'training', commands)
    commands = {
        method: ['tools/test.py', config, last_checkpoint(method), '--work-dir', folders[method]]
        for method, config in configs.items()
    }
    run_all(console, 'testing', commands)
    return {
        method: json.loads((ROOT / method / 'test_metrics.json').read_text())['metrics']
        for method in METHODS
    }


def train_start(console: Console) -> Path:
    """Trains the supervised model from which the others continue; returns its plain checkpoint."""
    folder = ROOT / START
    run_all(console, 'start', {START: train(find_config('supervised'), folder)})
    weights = folder / 'student.pth'
    command = ['tools/export_segmentor.py', last_checkpoint(START), str(weights), '--force']
    run_all(console, 'export', {START: command})
    return weights


def train(config: str | Path, folder: str | Path) -> list[str]:
    """Command line of a training."""
    return ['tools/train.py', str(config), '--work-dir', str(folder)]


def last_checkpoint(method: str) -> str:
    """Path of the last checkpoint of a training."""
    return (ROOT / method / 'last_checkpoint').read_text().strip()


def predict(method: str, images: list[Path]) -> list[np.ndarray]:
    """Predicts class maps ``(H, W)`` with the last checkpoint of a method."""
    from mmseg.apis import inference_model, init_model

    config = Config.fromfile(find_config(method))
    config.test_pipeline = [step for step in config.test_pipeline if 'Annot' not in step['type']]
    model = init_model(config, last_checkpoint(method), device='cpu')
    return [
        inference_model(model, str(image)).pred_sem_seg.data.squeeze(0).numpy() for image in images
    ]


def write_pictures(folder: Path, scale: int = 3) -> Path:
    """Writes a sheet with the image, the ground truth and every method, one row per image.

    Returns:
        Path: Path of the sheet.
    """
    images = sorted((ROOT / 'data/img_dir/val').iterdir())[:NUM_PICTURES]
    masks = [ROOT / 'data/ann_dir/val' / (image.stem + '.png') for image in images]
    maps = [[np.asarray(Image.open(mask)) for mask in masks]]
    maps += [predict(method, images) for method in METHODS]
    columns = [[Image.open(image).convert('RGB') for image in images]]
    columns += [[Image.fromarray(colour(labels, PALETTE)) for labels in own] for own in maps]
    width, height = (side * scale for side in columns[0][0].size)
    head, foot, gap = 24, 28, 6
    size = (len(columns) * (width + gap), head + NUM_PICTURES * (height + gap) + foot)
    sheet = Image.new('RGB', size, 'white')
    draw = ImageDraw.Draw(sheet)
    for x, title in enumerate(('image', 'ground truth', *METHODS.values())):
        draw.text((x * (width + gap) + 4, 5), title, fill='black')
        for y, picture in enumerate(columns[x]):
            picture = picture.resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(picture, (x * (width + gap), head + y * (height + gap)))
    step = size[0] // len(CLASSES)
    for i, name in enumerate(CLASSES):
        top = size[1] - foot + 6
        draw.rectangle((i * step + 4, top, i * step + 18, top + 14), fill=tuple(PALETTE[i]))
        draw.text((i * step + 23, top + 1), name, fill='black')
    folder.mkdir(parents=True, exist_ok=True)
    sheet.save(folder / 'side_by_side.png')
    return folder / 'side_by_side.png'


def print_table(console: Console, metrics: dict[str, dict[str, float]]) -> None:
    """Prints the IoU of each class, measured with the network of each method that predicts."""
    table = Table(title='IoU on the validation streets, last checkpoint (%)')
    for column in ('class', *METHODS.values()):
        table.add_column(column, justify='left' if column == 'class' else 'right')
    networks = {method: main_network(read_info(ROOT / method)) for method in METHODS}
    for name in (*(f'IoU.{name}' for name in CLASSES), 'mIoU'):
        if name == 'mIoU':
            table.add_section()
        values = [metrics[method].get(f'{networks[method]}/{name}', 0.0) for method in METHODS]
        table.add_row(name.removeprefix('IoU.'), *(f'{value:.1f}' for value in values))
    console.print(table)


def describe_labels(console: Console) -> None:
    """Prints the mIoU and the labels of each round, and writes the curve and the report."""
    folder = ROOT / 'active_learning'
    key = score_key(read_info(folder))
    for line in RoundLog(folder / 'active_learning.jsonl').read():
        console.print(
            f'TSF + AL, iteration {line["iter"]}: {line["metrics"][key]:.1f} mIoU with '
            f'{line["share"]:.2%} of all pixels labelled'
        )
    command = ['tools/active_learning/curves.py', str(folder), '-o', str(ROOT / 'curves')]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    console.print(f'Curve: {ROOT / "curves" / "curves.png"}')
    page = write_report(folder, compare=[ROOT / 'supervised', ROOT / 'tsf'])
    console.print(f'Report: {page}')


def main() -> None:
    """Entry point."""
    ToolParser(__doc__).parse_args()
    console = Console()
    began = time.perf_counter()
    generate(ROOT / 'data', num_val=NUM_VAL, num_labelled=NUM_LABELLED)
    console.print(f'Demo street in {ROOT}/data: {time.perf_counter() - began:.0f} s')
    shutil.rmtree(ROOT / 'active_learning', ignore_errors=True)  # rounds are never overwritten
    print_table(console, train_and_test(console))
    describe_labels(console)
    console.print(f'Pictures: {write_pictures(ROOT / "pictures")}')
    console.print(f'Total: {time.perf_counter() - began:.0f} s.')


if __name__ == '__main__':
    run_tool(main)
