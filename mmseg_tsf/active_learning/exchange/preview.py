"""Preview image of a request and its predictions."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from ...models.utils.labels import IGNORE_INDEX
from .annotation_plan import AnnotationPlan
from .label_set import ASKED_COLOUR, LabelSet
from .pictures import outline
from .request import AskedImage

WIDTH, LONGEST = 760, 1520
"""Width to which a panel is enlarged, and longest side to which it is reduced, in pixels."""
VEIL = 0.4, 110
"""Factor and offset of the grey value of pixels that are not requested."""
FONT, LINE, GAP = 15, 22, 10
PAPER, INK = (255, 255, 255), (20, 20, 20)


def draw_preview(
    pixels: np.ndarray, image: AskedImage, plan: AnnotationPlan, labels: LabelSet
) -> bytes:
    """PNG with the request on the image, and beside it the predictions with their legend.

    Args:
        pixels: ``(H, W, 3)`` uint8 BGR.
        image: Image with its request and predictions.
        plan: Regions and points to show.
        labels: Names and colours.
    """
    height, width = image.asked.shape
    scale = min(max(1.0, WIDTH / width), LONGEST / max(height, width))
    rgb = _resized(pixels[..., ::-1], scale)
    grey = (VEIL[0] * rgb.mean(-1, keepdims=True) + VEIL[1]).astype(np.uint8)
    veiled = np.broadcast_to(grey, rgb.shape)
    panels, legend = [_request_panel(rgb, veiled, plan, scale)], []
    if image.prelabels is not None:
        predicted = np.where(plan.shown & image.asked, image.prelabels, IGNORE_INDEX)
        panels.append(_prediction_panel(rgb, veiled, predicted, plan, labels, scale))
        used = set(np.unique(predicted).tolist()) - {IGNORE_INDEX}
        legend = [(labels.names[i], labels.colours[i]) for i in sorted(used)]
    return _compose(panels, _caption(image, plan), legend)


def _resized(array: np.ndarray, scale: float) -> np.ndarray:
    """Resizes ``(H, W, 3)`` colours smoothly and ``(H, W)`` labels by nearest neighbour.

    Colours enlarged three times or more stay sharp, so that single pixels can be seen.
    """
    height, width = (max(1, round(side * scale)) for side in array.shape[:2])
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    method = smooth if array.ndim == 3 and scale < 3 else cv2.INTER_NEAREST
    return cv2.resize(np.ascontiguousarray(array), (width, height), interpolation=method)


def _request_panel(
    rgb: np.ndarray, veiled: np.ndarray, plan: AnnotationPlan, scale: float
) -> Image.Image:
    shown = _resized((plan.numbers > 0).astype(np.uint8), scale) > 0
    centres, radius = ((plan.points + 0.5) * scale).tolist(), _radius(scale)
    lit = Image.fromarray(shown)
    for x, y in centres:
        ImageDraw.Draw(lit).ellipse(_around(x, y, radius), fill=1)
    picture = np.where(np.asarray(lit)[..., None], rgb, veiled)[..., ::-1]
    picture = Image.fromarray(np.ascontiguousarray(outline(picture, shown)[..., ::-1]))
    pen = ImageDraw.Draw(picture)
    for x, y in centres:
        pen.ellipse(_around(x, y, radius + 2), outline=(0, 0, 0), width=2)
        pen.ellipse(_around(x, y, radius), outline=ASKED_COLOUR, width=2)
    for number, place in enumerate(ndimage.find_objects(plan.numbers), 1):
        _write_number(pen, str(number), *([s.start * scale, s.stop * scale] for s in place))
    return picture


def _prediction_panel(
    rgb: np.ndarray,
    veiled: np.ndarray,
    predicted: np.ndarray,
    plan: AnnotationPlan,
    labels: LabelSet,
    scale: float,
) -> Image.Image:
    colours = np.zeros((IGNORE_INDEX + 1, 3))
    colours[: len(labels.colours)] = labels.colours
    large, picture = _resized(predicted, scale), veiled.copy()
    there = large != IGNORE_INDEX
    picture[there] = 0.25 * rgb[there] + 0.75 * colours[large[there]]
    picture = Image.fromarray(picture)
    pen, radius = ImageDraw.Draw(picture), _radius(scale)
    for column, row in plan.points.tolist():
        if predicted[row, column] != IGNORE_INDEX:
            box = _around((column + 0.5) * scale, (row + 0.5) * scale, radius)
            pen.ellipse(box, fill=labels.colours[predicted[row, column]], outline=(0, 0, 0))
    return picture


def _radius(scale: float) -> int:
    return max(6, round(1.5 * scale))


def _around(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius


def _write_number(
    pen: ImageDraw.ImageDraw, text: str, rows: list[float], columns: list[float]
) -> None:
    """Writes a number above a region or, without room there, into a large one or under it."""
    font = ImageFont.load_default(FONT)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    width, height = right - left + 6, bottom - top + 6
    x = min(columns[0], pen.im.size[0] - width)
    y = rows[0] - height - 3
    if y < 0:
        large = rows[1] - rows[0] > 3 * height
        x, y = (sum(columns) / 2, 3) if large else (x, rows[1] + 3)
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=(0, 0, 0))
    pen.text((x + 3 - left, y + 3 - top), text, font=font, fill=ASKED_COLOUR)


def _caption(image: AskedImage, plan: AnnotationPlan) -> str:
    pixels = int((plan.shown & image.asked).sum())
    left_out = f' ({plan.left_out:,} left out)' if plan.left_out else ''
    return (
        f'{image.image_id}: {plan.num_regions} regions, {len(plan.points)} single pixels; '
        f'{pixels:,} pixels requested{left_out}; about {plan.clicks} clicks'
    )


def _compose(panels: list[Image.Image], caption: str, legend: list[tuple]) -> bytes:
    """PNG of caption, legend and panels, which stand side by side if there is room."""
    font = ImageFont.load_default(FONT)
    beside = sum(panel.width for panel in panels) + GAP <= 2 * WIDTH + GAP
    step = (panels[0].width + GAP, 0) if beside else (0, panels[0].height + GAP)
    last = len(panels) - 1
    width = max(panels[0].width + last * step[0], int(font.getlength(caption)))
    entries, top = _place_legend(legend, font, width)
    height = top + panels[0].height + last * step[1]
    paper = Image.new('RGB', (width + 2 * GAP, height + 2 * GAP), PAPER)
    pen = ImageDraw.Draw(paper)
    pen.text((GAP, GAP), caption, font=font, fill=INK)
    for (x, y), (name, colour) in entries:
        pen.rectangle((x, y + 3, x + FONT, y + 3 + FONT), fill=colour, outline=INK)
        pen.text((x + FONT + 6, y), name, font=font, fill=INK)
    for i, panel in enumerate(panels):
        paper.paste(panel, (GAP + i * step[0], GAP + top + i * step[1]))
    buffer = io.BytesIO()
    paper.save(buffer, format='PNG', compress_level=3)
    return buffer.getvalue()


def _place_legend(legend: list[tuple], font, width: int) -> tuple[list, int]:
    """Position of each entry, and the height of caption and legend."""
    x, y, entries = GAP, GAP + LINE, []
    for name, colour in legend:
        needed = FONT + 6 + int(font.getlength(name)) + 2 * GAP
        if x + needed > width + GAP and x > GAP:
            x, y = GAP, y + LINE
        entries.append(((x, y), (name, colour)))
        x += needed
    return entries, y + LINE - GAP + 4 if legend else LINE + 4
