"""Label Studio: tasks to upload with what the network believes, and what comes back.

Regions of a request are shown as polygons with the label :data:`~.labels.ASKED`, which say nothing;
what the network believes are brushes, one for each class in each region; pixels that are asked on
their own are key points. Coordinates are percents of the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from ....models.utils.pixel_losses import IGNORE_INDEX
from ....utils.errors import UserError
from ....utils.files import FolderWriter
from ..annotation_plan import Plan, pieces
from ..answers import Answer, check_size
from ..export_file import Exported
from ..label_set import ASKED, ASKED_COLOUR, LabelSet, as_hex
from ..package import Packed, write_images
from ..request import AskedImage, Request
from ..shapes.outlines import fill, outlines
from ..shapes.rle import decode_label_studio, encode_label_studio

MODEL = 'mmseg_tsf'
"""Under this name Label Studio lists what the network believes."""
IMAGE, BRUSH, POLYGON, POINT, OUTLINE = 'image', 'brush', 'polygon', 'point', 'request'
"""Names of the tags in the labelling config."""
POINT_WIDTH = 0.6
"""Of a key point, in percent of the image's width."""

README = """\
Label Studio:

1. Serve the images: start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and
   LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=<the folder that holds this folder>; in the project's
   settings add a cloud storage of the kind "Local files" with the path of this folder (no sync).
   To serve the images in another way, export with --image-url; the tasks ask for
   {prefix}...
2. Create a project with config.xml as its labelling interface ("Code"), and import tasks.json.
   Under "Annotation", choose the predictions of "{model}" to label from.
3. Label inside of the yellow outlines ("asked"), with brushes or polygons; a brush that is there
   already is what the network believes: keep it, redraw it, or give it another label. A key point
   asks for the class of the one pixel in its middle: give it the right label. Use "cannot be said"
   where nobody can tell. What lies on top counts. Submit each task.
4. Export as "JSON" (not JSON-MIN).
"""


def write_package(
    writer: FolderWriter,
    images: Iterable[Packed],
    labels: LabelSet,
    number: int,
    image_url: str,
) -> str:
    """Writes tasks, their labelling config and the images; returns how to go on.

    Args:
        writer: Of the package.
        images: In the order of the tasks.
        labels: To choose from.
        number: Of the round.
        image_url: What stands before the name of an image to make its address.
    """
    tasks = [
        build_task(packed.image, packed.plan, labels, image_url + quote(packed.file_name))
        for packed in write_images(writer, images)
    ]
    writer.add('tasks.json', json.dumps(tasks).encode())
    writer.add('config.xml', labelling_config(labels).encode())
    return README.format(prefix=image_url, model=MODEL)


def local_files(package: str) -> str:
    """Addresses of images in a package, which lies in the server's folder of local files."""
    return f'/data/local-files/?d={quote(package)}/images/'


def labelling_config(labels: LabelSet) -> str:
    """The labelling interface: brushes, polygons and key points of every class."""
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


def build_task(image: AskedImage, plan: Plan, labels: LabelSet, image_url: str) -> dict:
    """A task with its pre-annotations.

    Args:
        image: What is asked, and what the network believes.
        plan: How it is shown.
        labels: To choose from.
        image_url: Where Label Studio finds the image.
    """
    size = image.asked.shape
    results = [brush(labels.names[value], mask) for value, mask in pieces(image, plan)]
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
    """A brush result from ``(H, W)`` bool."""
    value = dict(format='rle', rle=encode_label_studio(mask), brushlabels=[label])
    return _result('brushlabels', BRUSH, value, mask.shape)


def key_point(label: str, column: int, row: int, size: tuple[int, int]) -> dict:
    """A key point in the middle of a pixel."""
    x, y = _percent(np.array([(column + 0.5, row + 0.5)]), size)[0]
    value = dict(x=x, y=y, width=POINT_WIDTH, keypointlabels=[label])
    return _result('keypointlabels', POINT, value, size)


def read(
    export: Exported, request: Request, labels: LabelSet
) -> Iterator[tuple[str | None, Answer]]:
    """What people have said of each task of an export, see :func:`~.answers.write_answers`.

    Raises:
        UserError: It is no JSON export, or does not fit the request; one sentence.
    """
    tasks = export.json('the JSON export of Label Studio')
    fits = isinstance(tasks, list) and all(
        isinstance(task, dict) and {'data', 'annotations'} <= task.keys() for task in tasks
    )
    if not fits:
        raise UserError(
            f'{export.path} is no list of tasks with their annotations: export as "JSON", not as '
            '"JSON-MIN" or anything else'
        )
    for task in tasks:
        image_id = task['data'].get('image_id')
        annotation = newest(task['annotations'])
        if image_id not in request.sizes:
            yield None, Answer((0, 0))
        elif annotation is not None:
            where = f'{export.path}: {image_id}'
            yield image_id, parse_annotation(annotation, labels, request.sizes[image_id], where)


def newest(annotations: list[dict]) -> dict | None:
    """The annotation that was submitted last; those that were skipped do not count."""
    submitted = [one for one in annotations if not one.get('was_cancelled')]
    return max(submitted, key=_submitted, default=None)


def _submitted(annotation: dict) -> tuple[str, int]:
    return annotation.get('updated_at') or '', annotation.get('id') or 0


def parse_annotation(
    annotation: dict, labels: LabelSet, size: tuple[int, int], where: str
) -> Answer:
    """What an annotation says: brushes, polygons and key points, later ones on top.

    Args:
        annotation: With its ``result``, as the export and the API have it.
        labels: To choose from.
        size: Height and width of the image that was asked about.
        where: It is from, for messages.

    Raises:
        UserError: Wrong size, foreign label, or a result that can not be read.
    """
    answer = Answer(size)
    for result in annotation.get('result', []):
        kind, geometry = str(result.get('type')), result.get('value', {})
        names = geometry.get(kind, [])
        if kind not in PAINTERS or len(names) != 1:
            answer.unread[kind] += 1
            continue
        value = labels.value(names[0], where)
        if value is None:
            continue
        _check_frame(result, size, where)
        try:
            PAINTERS[kind](answer, geometry, value)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f'{where} has {kind} that can not be read ({error})') from None
    return answer


def _paint_brush(answer: Answer, geometry: dict, value: int) -> None:
    answer.paint(decode_label_studio(geometry['rle'], answer.labels.shape), value)


def _paint_polygon(answer: Answer, geometry: dict, value: int) -> None:
    size = answer.labels.shape
    answer.paint(fill([_pixels(geometry['points'], size)], size), value)


def _paint_point(answer: Answer, geometry: dict, value: int) -> None:
    ((x, y),) = _pixels([(geometry['x'], geometry['y'])], answer.labels.shape)
    answer.paint_point(x, y, value)


PAINTERS = dict(brushlabels=_paint_brush, polygonlabels=_paint_polygon, keypointlabels=_paint_point)


def _outline(ring: np.ndarray, size: tuple[int, int]) -> dict:
    value = dict(points=_percent(ring, size), closed=True, polygonlabels=[ASKED])
    return dict(_result('polygonlabels', OUTLINE, value, size), readonly=True)


def _result(kind: str, control: str, value: dict, size: tuple[int, int]) -> dict:
    frame = dict(original_width=size[1], original_height=size[0], image_rotation=0)
    return dict(type=kind, from_name=control, to_name=IMAGE, value=value, **frame)


def _percent(points: np.ndarray, size: tuple[int, int]) -> list[list[float]]:
    return (np.asarray(points) * 100 / size[::-1]).tolist()


def _pixels(points: Iterable[Sequence[float]], size: tuple[int, int]) -> np.ndarray:
    return np.array(points, float) * size[::-1] / 100


def _check_frame(result: dict, size: tuple[int, int], where: str) -> None:
    frame = (result.get('original_height'), result.get('original_width'))
    if None not in frame:
        check_size(where, frame, size)
    if result.get('image_rotation'):
        raise UserError(
            f'{where} was turned by {result["image_rotation"]} degrees when it was labelled: turn '
            'it back in Label Studio and export again'
        )
