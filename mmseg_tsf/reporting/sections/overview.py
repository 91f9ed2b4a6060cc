"""Section on the run: summary, key figures, settings and rounds."""

from __future__ import annotations

from pathlib import Path

from ..drawing.charts import number
from ..run_reader import main_network, score_key

DASH = '–'


def describe_run(
    folder: Path, info: dict, found: list[tuple[str, dict]], summary: dict | None
) -> dict:
    """Content of the page's head and of the section on the run.

    Args:
        folder: Folder of the run.
        info: Contents of ``run_info.json``.
        found: Metrics from :func:`~mmseg_tsf.reporting.sections.curves.measured`.
        summary: See :func:`~mmseg_tsf.active_learning.campaign.summary.summarise`; ``None`` for a
            run without rounds.
    """
    key = score_key(info)
    scores = [metrics[key] for _, metrics in found if key in metrics]
    config = folder / Path(info['config'] or '').name
    return dict(
        name=folder.resolve().name,
        stem=Path(info['config'] or '').stem,
        lead=_lead(info, scores, summary),
        tiles=_tiles(info, scores, summary),
        facts=dict(Training=_training(info), Data=_data(info, summary), **_budget(summary)),
        rounds=summary['rounds'] if summary else [],
        config=config.read_text() if config.is_file() else None,
    )


def share(part: float, whole: float | None) -> str:
    """A share in percent as text; a dash if the whole is unknown or zero."""
    return f'{100 * part / whole:.2f} %' if whole else DASH


def _lead(info: dict, scores: list[float], summary: dict | None) -> str:
    """Summary of the run in one to three sentences."""
    method = info['method']
    if summary is None:
        state = 'finished' if is_finished(info) else 'not finished'
        labels = _images(info, 'labelled')
        return f'{method}, {info["max_iters"]:,} iterations from {labels}; {state}.'
    unit = summary['unit']
    amount, available = summary['spent'][unit], summary['available'].get(unit)
    bought = f'{amount:,} {unit}' + (f' ({share(amount, available)})' if available else '')
    text = f'{method} with {bought} labelled, including the initial labels.'
    if len(scores) > 1:
        text += (
            f' The {main_network(info)} went from {scores[0]:.1f} to {scores[-1]:.1f} mIoU over '
            f'{summary["rounds_answered"]} rounds.'
        )
    waits = summary['waits_for']
    done = summary['finished'] or is_finished(info)
    return f'{text} ' + ('Training is finished.' if done else f'It waits for {waits}.')


def is_finished(info: dict) -> bool:
    """Whether the training has reached its last iteration."""
    return info.get('finished_iters', 0) >= info['max_iters']


def _tiles(info: dict, scores: list[float], summary: dict | None) -> list[dict]:
    """Key figures: ``label``, ``value``, ``note`` and, if it is a share, ``part`` in 0..1."""
    tiles = []
    if scores:
        note = (
            f'{scores[-1] - scores[0]:+.1f} since the first measurement' if len(scores) > 1 else ''
        )
        label = f'mIoU, {main_network(info)}'
        tiles.append(dict(label=label, value=f'{scores[-1]:.1f}', note=note))
    if summary:
        unit, total = summary['unit'], summary['total']
        spent, available = summary['spent'][unit], summary['available']
        value = share(spent, available.get(unit)) if unit in available else number(spent)
        budget = share(total, available.get(unit)) if unit in available else number(total)
        tiles += [
            dict(
                label=f'{unit} spent',
                value=value,
                note=f'of a budget of {budget}',
                part=min(1.0, spent / total),
            ),
            dict(
                label='rounds answered',
                value=str(summary['rounds_answered']),
                note=f'of {summary["rounds_planned"]}',
                part=summary['rounds_answered'] / summary['rounds_planned'],
            ),
            dict(
                label='images with labels',
                value=f'{summary["spent"]["images"]:,}',
                note=f'of {available["images"]:,}, including the initial ones',
                part=summary['spent']['images'] / available['images'],
            ),
            dict(
                label='clicks, estimated',
                value=f'{summary["spent"]["clicks"]:,}',
                note='without the initial labels',
            ),
        ]
    return tiles


def _training(info: dict) -> dict[str, str]:
    batch = f'{info["batch_size"]} × {info["world_size"]}'
    done = info.get('finished_iters')
    commits = [info['commit'], *info.get('resumed_with_commit', [])]
    facts = {
        'Method': info['method'],
        'Networks': ', '.join(info['networks']),
        'Config': info['config'],
        'Seed': info['seed'],
        'Commit': ', resumed with '.join(str(c or 'unknown') for c in dict.fromkeys(commits)),
        'Iterations': f'{info["max_iters"]:,}' + ('' if done else ', not finished'),
        'Batch × processes': batch,
        'Device': info['device'],
        'torch': f'{info["torch"]}, {info["torch_threads"]} threads',
    }
    if info.get('peak_memory_mib'):
        facts['Peak memory'] = f'{info["peak_memory_mib"]:,.0f} MiB'
    return {name: str(value) for name, value in facts.items()}


def _data(info: dict, summary: dict | None) -> dict[str, str]:
    facts = {}
    for branch in info['lists']:
        part = info['lists'][branch]
        digest = f', sha256 {part["sha256"]}' if part.get('sha256') else ''
        facts[branch.capitalize()] = f'{_images(info, branch)} from {part["ann_file"]}{digest}'
    if summary:
        facts['Available'] = _amounts(summary['available'])
        facts['Classes'] = ', '.join(summary['classes'])
    return facts


def _budget(summary: dict | None) -> dict[str, dict[str, str]]:
    if not summary:
        return {}
    unit, available = summary['unit'], summary['available']
    facts = {
        'Budget': f'{summary["total"]:,} {unit}, {share(summary["total"], available.get(unit))}',
        'Initial labels': _amounts(summary['initial']),
        'Spent': _amounts(summary['spent']),
        'Left': f'{summary["left"]:,} {unit}',
    }
    return {'Budget': facts}


def _amounts(amounts: dict[str, int]) -> str:
    return ', '.join(f'{value:,} {unit}' for unit, value in amounts.items() if value)


def _images(info: dict, branch: str) -> str:
    number_of = info['lists'].get(branch, {}).get('images')
    return f'{number_of:,} {branch} images' if number_of is not None else 'its images'
