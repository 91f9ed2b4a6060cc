"""Label Studio: tasks with predictions to upload, and its JSON export.

Regions of a request are shown as polygons with the label :data:`~.label_set.ASKED`, which carry no
class; predictions are brushes, one per class and region; single pixels are key points. Coordinates
are percentages of the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ....utils.errors import UserError
from ...registry import EXCHANGE_FORMATS
from ..annotation_plan import AnnotationPlan, predicted_pieces
from ..answers import ImageLabels
from ..label_set import ASKED, ASKED_COLOUR, LabelSet, as_hex
from ..names import name_of_url
from ..readers.values import brief
from ..request import AskedImage
from ..shapes.outlines import outlines
from ..shapes.rle import encode_label_studio
from ..tool_export import ToolExport
from .base import ExchangeFormat, Package, Parse
from .label_studio_results import paint_result

MODEL = 'mmseg_tsf'
"""Name under which Label Studio lists the predictions."""
IMAGE, BRUSH, POLYGON, POINT, OUTLINE = 'image', 'brush', 'polygon', 'point', 'request'
"""Names of the tags in the labelling config."""
POINT_WIDTH = 0.6
"""Width of a key point in percent of the width of the image."""

README = """\
Label Studio:

1. Serve the images: start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and
   LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=<the folder that holds this folder>; in the project's
   settings add a cloud storage of the kind "Local files" with the path of this folder (no sync).
   To serve the images in another way, export with --image-url; the tasks refer to
   {prefix}...
2. Create a project with config.xml as its labelling interface ("Code"), and import tasks.json.
   Under "Annotation", choose the predictions of "{model}" to label from.
3. Label inside of the yellow outlines ("asked"), with brushes or polygons. The brushes that exist
   already are predictions of the network: keep them, redraw them, or give them another label. A
   key point asks for the class of the one pixel in its middle: give it the right label. Use
   "cannot be said" where you cannot tell the class. The topmost shape counts. Submit each task.
4. Export as "JSON" (not JSON-MIN).
"""


@EXCHANGE_FORMATS.register_module(name='label_studio')
class LabelStudioFormat(ExchangeFormat):
    """Tasks for Label Studio; reads its *JSON* export.

    Args:
        image_url: Prefix that turns the name of an image into its address; by default that of a
            package in the folder that the server uses for local files.
    """

    def __init__(self, image_url: str | None = None) -> None:
        self.image_url = image_url

    def write_package(self, package: Package) -> str:
        """Writes the tasks, their labelling config and the images."""
        local = f'/data/local-files/?d={quote(package.name)}/images/'
        prefix, labels = self.image_url or local, package.labels
        tasks = [
            build_task(packed.image, packed.plan, labels, prefix + quote(packed.file_name))
            for packed in package.write_images()
        ]
        for task in tasks:
            task['data']['request'] = package.tag
        package.writer.add('tasks.json', json.dumps(tasks).encode())
        package.writer.add('config.xml', labelling_config(labels).encode())
        return README.format(prefix=prefix, model=MODEL)

    def read(self, export: ToolExport, labels: LabelSet) -> Iterator[tuple[str, Parse]]:
        """See the base class."""
        content = export.json('the JSON export of Label Studio')
        for task in check_tasks(content, str(export.path)):
            name = name_of(task)
            where = f'{export.path}: {brief(name)}'
            annotation = newest(task['annotations'])
            yield name, partial(_parse_task, annotation, labels, where)


def check_tasks(content: object, where: str) -> list[dict]:
    """Tasks of a JSON export with their data and annotations.

    Raises:
        UserError: The content has another form.
    """
    fits = isinstance(content, list) and all(
        isinstance(task, dict)
        and isinstance(task.get('data'), dict)
        and isinstance(task.get('annotations'), list)
        and all(isinstance(annotation, dict) for annotation in task['annotations'])
        for task in content
    )
    if not fits:
        raise UserError(
            f'{where} is not a list of tasks with their annotations: export as "JSON", not as '
            '"JSON-MIN" or anything else'
        )
    return content


def name_of(task: dict) -> str:
    """Name of the image of a task, below the folder of its request where the task has one."""
    image_id, tag = task['data'].get('image_id'), task['data'].get('request')
    if isinstance(image_id, str):
        return f'{tag}/{image_id}' if isinstance(tag, str) else image_id
    texts = [task['data'].get('image'), *task['data'].values()]
    return name_of_url(next((text for text in texts if isinstance(text, str)), ''))


def labelling_config(labels: LabelSet) -> str:
    """Labelling interface with brushes, polygons and key points for every class."""
    view = Element('View')
    SubElement(view, 'Header', value='$what')
    SubElement(view, 'Image', name=IMAGE, value='$image', zoom='true', zoomControl='true')
    for tag, name in (('Brush', BRUSH), ('Polygon', POLYGON), ('KeyPoint', POINT)):
        control = SubElement(view, f'{tag}Labels', name=name, toName=IMAGE)
        for label, rgb in labels.palette.items():
            SubElement(control, 'Label', value=label, background=as_hex(rgb))
        if name == POINT:
            SubElement(control, 'Label', value=ASKED, background=as_hex(ASKED_COLOUR))
    outline = SubElement(
        view, 'PolygonLabels', name=OUTLINE, toName=IMAGE, opacity='0', strokeWidth='2'
    )
    SubElement(outline, 'Label', value=ASKED, background=as_hex(ASKED_COLOUR))
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding='unicode')


def build_task(image: AskedImage, plan: AnnotationPlan, labels: LabelSet, image_url: str) -> dict:
    """Task with its predictions.

    Args:
        image: Image with its request and predictions.
        plan: Regions and points to show.
        labels: Labels to choose from.
        image_url: Address of the image.
    """
    size = image.asked.shape
    results = [brush(labels.names[value], mask) for value, mask in predicted_pieces(image, plan)]
    for region in plan.regions():
        results += [_outline(ring, size) for ring in outlines(region)]
    for x, y in plan.points.tolist():
        value = IGNORE_INDEX if image.prelabels is None else int(image.prelabels[y, x])
        results.append(
            key_point(ASKED if value == IGNORE_INDEX else labels.names[value], x, y, size)
        )
    results = [dict(result, id=f'r{i}') for i, result in enumerate(results)]
    what = f'{plan.num_regions} regions, {len(plan.points)} points, about {plan.clicks} clicks'
    return dict(
        data=dict(image=image_url, image_id=image.image_id, what=what),
        predictions=[dict(model_version=MODEL, result=results)],
    )


def brush(label: str, mask: np.ndarray) -> dict:
    """Brush result of an ``(H, W)`` bool mask."""
    value = dict(format='rle', rle=encode_label_studio(mask), brushlabels=[label])
    return _result('brushlabels', BRUSH, value, mask.shape)


def key_point(label: str, column: int, row: int, size: tuple[int, int]) -> dict:
    """Key-point result in the middle of a pixel."""
    x, y = _percent(np.array([(column + 0.5, row + 0.5)]), size)[0]
    value = dict(x=x, y=y, width=POINT_WIDTH, keypointlabels=[label])
    return _result('keypointlabels', POINT, value, size)


def newest(annotations: list[dict]) -> dict | None:
    """Annotation that was submitted last, or ``None``; skipped ones do not count."""
    submitted = [one for one in annotations if not one.get('was_cancelled')]
    return max(submitted, key=_submitted, default=None)


def _submitted(annotation: dict) -> tuple[str, int]:
    time, number = annotation.get('updated_at'), annotation.get('id')
    return time if isinstance(time, str) else '', number if isinstance(number, int) else 0


def parse_annotation(
    annotation: dict, labels: LabelSet, size: tuple[int, int], where: str
) -> ImageLabels:
    """Labels that the results of an annotation give, later ones on top.

    Args:
        annotation: Annotation with its ``result``, in the form of the export and the API.
        labels: Labels to choose from.
        size: Height and width of the image.
        where: Place of the annotation, for error messages.

    Raises:
        UserError: The size is wrong, a label is unknown, or there is no list of results.
    """
    found, results = ImageLabels(size), annotation.get('result', [])
    if not isinstance(results, list):
        raise UserError(f'{where} has no list of results: export it again')
    for result in results:
        kind = result.get('type') if isinstance(result, dict) else None
        with found.shape(kind if isinstance(kind, str) else 'result'):
            paint_result(found, result, labels, where)
    return found


def _parse_task(
    annotation: dict | None, labels: LabelSet, where: str, size: tuple[int, int]
) -> ImageLabels:
    return parse_annotation(annotation or {}, labels, size, where)


def _outline(ring: np.ndarray, size: tuple[int, int]) -> dict:
    value = dict(points=_percent(ring, size), closed=True, polygonlabels=[ASKED])
    return dict(_result('polygonlabels', OUTLINE, value, size), readonly=True)


def _result(kind: str, control: str, value: dict, size: tuple[int, int]) -> dict:
    frame = dict(original_width=size[1], original_height=size[0], image_rotation=0)
    return dict(type=kind, from_name=control, to_name=IMAGE, value=value, **frame)


def _percent(points: np.ndarray, size: tuple[int, int]) -> list[list[float]]:
    return (np.asarray(points) * 100 / size[::-1]).tolist()
