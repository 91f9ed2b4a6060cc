"""Writes the files of finished active-learning runs without training: images, rounds and logs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from tiny_runs import CLASSES, part_cfg

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.active_learning.selection.clicks import class_counts
from mmseg_tsf.active_learning.store.label_png import encode_labels
from mmseg_tsf.active_learning.store.round_log import RoundLog
from mmseg_tsf.datasets.image_reading import ImageReader
from mmseg_tsf.reporting.drawing.thumbnails import small_image, small_labels, small_mask, small_size
from mmseg_tsf.reporting.snapshots import most_asked
from mmseg_tsf.utils.files import seal

SIZE = (40, 48)
NAMES = [*CLASSES[:3], '<b>pole & sign of a long and most_unbreakable_name</b>']  # no markup


def make_run(
    folder: Path,
    rounds: int = 2,
    images: int = 5,
    size: tuple[int, int] = SIZE,
    snapshots: bool = True,
    **info,
) -> Path:
    """Writes a work dir and its images beside it; every round requests pixels of every image.

    Args:
        folder: Work dir.
        rounds: Number of answered rounds.
        images: Number of images in the pool.
        size: Height and width of an image.
        snapshots: Whether the pseudo-labels of 12 images of each round are saved.
        **info: Entries of ``run_info.json`` to replace.
    """
    rng = np.random.default_rng(0)
    data = folder.parent / f'{folder.name}_data'
    names = [f'town/{i:04d}' for i in range(images)]
    truths = {name: _write_image(rng, data / f'img/{name}.png', size) for name in names}
    (data / 'unlabelled.txt').write_text('\n'.join(names))
    store = RoundStore(folder / 'rounds')
    store.open(_campaign(rounds, images, size), ())
    for number in range(rounds):
        _write_round(rng, store, number, truths)
        if snapshots:
            write_snapshot(rng, folder, store, number, data, truths)
    _write_config(folder, data)
    _write_logs(folder, store, rounds, info)
    return folder


def write_snapshot(rng, folder: Path, store: RoundStore, number: int, data, truths) -> None:
    """Writes the snapshot of a round with made-up pseudo-labels."""
    order, images = most_asked(store, number, 12), {}
    with seal(folder / f'report_data/round_{number:03d}') as writer:
        for i, name in enumerate(order):
            truth, small = truths[name], small_size(truths[name].shape)
            noise = rng.integers(0, len(NAMES), truth.shape, dtype=np.uint8)
            wrong = small_mask(rng.random(truth.shape) < 0.001, (5, 6))
            wrong = small_labels(wrong, truth.shape)
            maps = dict(
                pseudo=np.where(wrong, noise, truth),
                errors=np.where(wrong, noise % 2, 255),
                refined=np.where(wrong & (noise % 2 == 1), truth, 255),
            )
            writer.add(
                f'{i:02d}_image.jpg', small_image(data / f'img/{name}.png', small, ImageReader())
            )
            for layer, labels in maps.items():
                content = encode_labels(small_labels(labels.astype(np.uint8), small))
                writer.add(f'{i:02d}_{layer}.png', content)
            images[name] = dict(name=f'{i:02d}', known=20, wrong=5 + number)
        quality = {'flagged': 40.0, 'before.accuracy': 60.0, 'after.accuracy': 70.0, 'images': 12}
        writer.info = dict(
            request=store.request(number).digest,
            answer=store.answer(number).digest,
            order=order,
            images=images,
            quality=quality,
        )


def write_run_info(folder: Path, **info) -> None:
    """Writes ``run_info.json`` of a finished run."""
    record = dict(
        method='MeanTeacher',
        networks=['teacher', 'student'],
        config='configs/made_up.py',
        lists=dict(
            labelled=dict(ann_file='splits/labelled.txt', images=2, sha256='ab' * 8),
            unlabelled=dict(ann_file='splits/unlabelled.txt', images=5, sha256=None),
        ),
        seed=7,
        max_iters=90,
        batch_size=4,
        world_size=2,
        device='cpu',
        torch='2.1',
        torch_threads=1,
        commit='0123456789ab',
        finished_iters=90,
        peak_memory_mib=123.4,
    )
    (folder / 'run_info.json').write_text(json.dumps({**record, **info}))


def metrics(score: float) -> dict[str, float]:
    """Metrics of both networks; the mIoU of the teacher is ``score``."""
    found = {'teacher/mIoU': score, 'student/mIoU': score - 1}
    return {**found, **{f'teacher/IoU.{name}': score + i for i, name in enumerate(NAMES)}}


def _write_image(rng: np.random.Generator, path: Path, size: tuple[int, int]) -> np.ndarray:
    coarse = rng.integers(0, len(NAMES), (5, 6), dtype=np.uint8)
    truth = np.kron(coarse, np.ones((size[0] // 5, size[1] // 6), np.uint8))
    truth = np.pad(truth, [(0, s - t) for s, t in zip(size, truth.shape, strict=True)], 'edge')
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = rng.integers(0, 40, (*size, 3), dtype=np.uint8)
    Image.fromarray(truth[..., None] * 50 + noise).save(path)
    return truth


def _campaign(rounds: int, images: int, size: tuple[int, int]) -> dict:
    pixels = size[0] * size[1]
    return dict(
        classes=NAMES,
        initial=dict(pixels=2 * pixels, images=2, regions=2, clicks=0),
        available=dict(pixels=(images + 2) * pixels, images=images + 2),
        budget=dict(total=0.8, per_round=None, unit='pixels'),
        rounds=rounds,
        oracle='GroundTruthOracle',
        annotation_dir=None,
    )


def _write_round(rng: np.random.Generator, store: RoundStore, number: int, truths: dict) -> None:
    masks = {name: rng.random(truth.shape) < 0.02 for name, truth in truths.items()}
    answers = {name: np.where(masks[name], truths[name], 255) for name in truths}
    notes = {
        name: dict(pixels=int(m.sum()), regions=int(m.sum()), components=1, clicks=int(m.sum()))
        for name, m in masks.items()
    }
    info = dict(unit='pixels', strategy='PLARQuery', seed=number)
    store.write_request(number, ((n, masks[n], notes[n]) for n in truths), info)
    counts = {n: dict(classes=class_counts(a, len(NAMES))) for n, a in answers.items()}
    items = ((n, a.astype(np.uint8), counts[n]) for n, a in answers.items())
    store.write_answer(number, items, dict(who='ground truth'))


def _write_config(folder: Path, data: Path) -> None:
    part = part_cfg(data, 'unlabelled.txt', [])
    part['metainfo'] = dict(
        classes=NAMES, palette=[[200, 0, 0], [0, 200, 0], [0, 0, 200], [9, 9, 9]]
    )
    loader = dict(dataset=dict(type='SemiDataset', labelled=part, unlabelled=part))
    (folder / 'made_up.py').write_text(f'train_dataloader = {loader!r}\n')


def _write_logs(folder: Path, store: RoundStore, rounds: int, info: dict) -> None:
    write_run_info(folder, **info)
    log, campaign = RoundLog(folder / 'active_learning.jsonl'), store.campaign()
    paid = dict(campaign['initial'])
    cells = dict(cells=1000, flagged=400, corrected=300, unresolved=100)
    for number in range(rounds + 1):
        share = paid['pixels'] / campaign['available']['pixels']
        line = dict(round=number, iter=30 * (number + 1), spent=dict(paid), unit='pixels')
        last = number == rounds
        line.update(share=share, state='finished' if last else 'answered')
        line.update(metrics=metrics(30.0 + 5 * number), notes={} if last else cells)
        line['seconds'] = (
            {} if last else dict(train=9.0, validate=1.0, score=2.0, select=0.25, oracle=0.5)
        )
        log.write(line)
        if not last:
            notes = store.request(number).images.values()
            paid['pixels'] += sum(note['pixels'] for note in notes)
    path = folder / '20300101_000000/vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    entries = [
        {'loss': 2 - step / 90, 'loss_ts': step / 90, 'time': 0.5, 'data_time': 0.1, 'step': step}
        | {f'refinement.{name}': 0.1 for name in ('flagged', 'corrected', 'unresolved', 'changed')}
        for step in range(10, 100, 10)
    ]
    path.write_text('\n'.join(map(json.dumps, entries)))
    text = (
        'Quality of pseudo-labels after iteration 60: before.accuracy: 61.50  errors_inside: nan\n'
    )
    (path.parents[1] / '20300101_000000.log').write_text(f'2030/01/01 - mmengine - INFO - {text}')
