"""Writes the report of a run: one HTML page with thumbnails beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from ..active_learning.campaign.summary import summarise
from ..active_learning.store.round_log import RoundLog
from ..active_learning.store.round_store import RoundStore
from ..utils.errors import UserError
from ..utils.files import write_file
from .drawing.charts import marker, number
from .drawing.palette import to_hex
from .run_reader import read_config, read_info, read_scalars, read_test
from .sections.curves import (
    describe_classes,
    describe_refinement,
    describe_scores,
    describe_training,
    measured,
)
from .sections.gallery import ERROR_COLOURS, LAYERS, REQUEST_COLOUR, PoolData, draw_round, tidy
from .sections.overview import describe_run
from .sections.spend import describe_spend

GALLERY = 12
"""Default number of images shown of each round."""


def write_report(
    work_dir: str | Path,
    out: str | Path | None = None,
    compare: Sequence[str | Path] = (),
    gallery: int = GALLERY,
    palette: str = 'own',
) -> Path:
    """Writes ``index.html`` and ``img/``; pictures that are up to date are kept.

    Args:
        work_dir: Folder of a run, with rounds or without.
        out: Folder of the page; ``<work_dir>/report`` by default.
        compare: Folders of other runs whose scores are drawn as well.
        gallery: Maximum number of images shown of each round.
        palette: Palette with which the page opens: ``'own'`` (the data set's) or ``'safe'`` (safe
            for colour-blind readers); a button on the page switches it.

    Returns:
        Path: Path of the page.

    Raises:
        UserError: If a folder is not the folder of a run, the rounds are damaged, the runs cannot
            be compared, or jinja2 is missing.
    """
    work_dir = Path(work_dir)
    out = Path(out) if out else work_dir / 'report'
    content = render(describe(work_dir, out, [Path(run) for run in compare], gallery, palette))
    path = out / 'index.html'
    write_file(path, content.encode())
    return path


def describe(
    work_dir: Path, out: Path, compare: list[Path], gallery: int, palette: str
) -> dict[str, object]:
    """Writes the pictures and returns the variables of the template."""
    info = read_info(work_dir)
    lines = RoundLog(work_dir / 'active_learning.jsonl').read()
    training, validations = read_scalars(work_dir)
    store = RoundStore(work_dir / 'rounds')
    has_rounds = (store.root / 'campaign.json').is_file()
    summary = summarise(work_dir, store) if has_rounds else None
    found = measured(lines, validations, read_test(work_dir))
    classes = describe_classes(info, found)
    names = list(summary['classes']) if summary else _names(classes)
    data = PoolData(names, read_config(work_dir, info['config']))
    numbers = store.numbers() if summary else []
    pictures = [dict(draw_round(work_dir, store, r, data, out, gallery), number=r) for r in numbers]
    tidy(out, numbers)
    return dict(
        run=describe_run(work_dir, info, found, summary),
        scores=describe_scores(work_dir, info, lines, validations, compare),
        class_scores=classes,
        spend=describe_spend(store, summary, pictures) if summary else None,
        refinement=describe_refinement(work_dir, summary, training, pictures),
        training=describe_training(info, lines, training),
        gallery=pictures,
        layers=_layers(pictures),
        classes=names,
        palettes=dict(own=to_hex(data.palette), safe=to_hex(data.safe_palette)),
        palette=palette,
        error_colours=to_hex(ERROR_COLOURS),
        request_colour=to_hex(REQUEST_COLOUR)[0],
        written=datetime.now(timezone.utc).isoformat(' ', 'minutes'),
    )


def render(content: dict[str, object]) -> str:
    """HTML of the page.

    Args:
        content: Variables of the template, see :func:`describe`.

    Raises:
        UserError: If jinja2 is missing.
    """
    try:
        import jinja2
    except ModuleNotFoundError:
        raise UserError(
            'the report needs jinja2, which is not installed: python -m pip install jinja2'
        ) from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader('mmseg_tsf.reporting'),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters['short'] = number
    environment.globals['marker'] = marker
    return environment.get_template('report.html.j2').render(content)


def _names(classes: dict | None) -> list[str]:
    return [row['name'] for row in classes['rows'] if row['name'] is not None] if classes else []


def _layers(pictures: list[dict]) -> dict[str, str]:
    """Titles of the layers that at least one image has."""
    there = {layer for part in pictures for panel in part['panels'] for layer in panel['layers']}
    return {layer: title for layer, title in LAYERS.items() if layer in there}
