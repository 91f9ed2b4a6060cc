"""What one or several exports say about the images of a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...utils.errors import UserError
from ...utils.files import MANIFEST
from .answers import ImageLabels, Outcome
from .formats.base import ExchangeFormat, Parse
from .label_set import LabelSet
from .names import check_tags, match_names
from .readers.documents import parse_json
from .readers.values import brief
from .request import RequestFolder
from .tool_export import ToolExport
from .votes import Agreement, join_votes


def read_exports(
    exports: Sequence[ToolExport],
    exchange_format: ExchangeFormat,
    request: RequestFolder,
    labels: LabelSet,
    agreement: Agreement | None = None,
) -> Iterator[tuple[str, Outcome]]:
    """Labels of every requested image in the exports, image by image.

    Args:
        exports: Exports of the same request, one for each person who labelled it.
        exchange_format: Format of the exports.
        request: Request to which they answer.
        labels: Labels that people could choose from.
        agreement: Receives how far several people agree.

    Yields:
        tuple: Id and labels of an image; name and ``None`` for one that was not requested; name
        and error for what cannot be read, after which the others follow.
    """
    agreement = agreement or Agreement()
    people: list[dict[str, list[Parse]]] = []
    for export in exports:
        try:
            entries = _entries(export, exchange_format, request, labels)
        except UserError as error:
            yield str(export.path), error
            continue
        names = (name for name, parse in entries if parse is not None)
        ids = match_names(names, request.images, request.tag)
        yield from ((name, None) for name, parse in entries if parse is None or name not in ids)
        answers: dict[str, list[Parse]] = {}
        for name, parse in entries:
            if parse is not None and name in ids:
                answers.setdefault(ids[name], []).append(parse)
        people.append(answers)
    for image_id in sorted(request.images):
        given = [answers[image_id] for answers in people if image_id in answers]
        if given:
            yield image_id, _join(image_id, given, request, agreement)


def _join(
    image_id: str, given: list[list[Parse]], request: RequestFolder, agreement: Agreement
) -> ImageLabels | UserError:
    try:
        votes = [_single(image_id, parses, request.sizes[image_id]) for parses in given]
        if len(votes) == 1:
            return votes[0]
        return join_votes(votes, request.mask(image_id), agreement)
    except UserError as error:
        return error


def _single(image_id: str, parses: list[Parse], size: tuple[int, int]) -> ImageLabels:
    """The labels that one person gave to an image."""
    found = [parse(size) for parse in parses]
    labelled = [labels for labels in found if labels.labelled.any()]
    if len(labelled) > 1:
        raise UserError(
            f'{brief(image_id)} has two answers in the export: delete one of them and export again'
        )
    return (labelled or found)[0]


def _entries(
    export: ToolExport, exchange_format: ExchangeFormat, request: RequestFolder, labels: LabelSet
) -> list[tuple[str, Parse | None]]:
    """Names and parsers of the images of an export that belongs to the request."""
    for where, content in export.manifests():
        manifest = parse_json(content, where)
        digest = manifest.get('request') if isinstance(manifest, dict) else None
        if isinstance(digest, str) and digest != request.digest:
            raise UserError(
                f'{export.path} belongs to the package of another request ({where}, round '
                f'{brief(manifest.get("round"))}), but round {request.number} waits for answers: '
                f'import what was exported for that, or remove {MANIFEST} if it stands there by '
                'mistake'
            )
    entries = list(exchange_format.read(export, labels))
    check_tags((name for name, _ in entries), request.tag, str(export.path))
    return entries
