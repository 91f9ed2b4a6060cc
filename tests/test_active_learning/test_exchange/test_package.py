"""What every package holds, whatever its format, and what is done to images that would mislead."""

import io
import json

import numpy as np
import pytest
from exchange_runs import IDS, LABELS, SIZE, BareRequest, asked_masks, believed
from PIL import Image

from mmseg_tsf.active_learning import StoreError
from mmseg_tsf.active_learning.exchange.annotation_plan import make_plan
from mmseg_tsf.active_learning.exchange.formats.masks import MaskFormat
from mmseg_tsf.active_learning.exchange.label_set import ASKED_COLOUR
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.preview import draw_preview
from mmseg_tsf.active_learning.exchange.request import AskedImage
from mmseg_tsf.utils.errors import UserError

MASKS = dict(type='masks')


def one_image(path, asked) -> BareRequest:
    """A request about a single file."""
    return BareRequest({'x': asked}, {'x': path})


def picture(content) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert('RGB'))


def test_amounts_stand_in_the_manifest_and_in_the_readme(waiting, tmp_path):
    manifest = export_request(waiting, tmp_path / 'package', MASKS)
    assert json.loads((tmp_path / 'package/manifest.json').read_text())['total'] == {
        **manifest['total'],
        'images': 3,
    }
    pixels = sum(int(mask.sum()) for mask in asked_masks().values())
    clicks = 21 + 3 + 5  # holes and all; three points; a whole image
    expected = dict(images=3, pixels=pixels, regions=4, points=3, clicks=clicks, left_out=0)
    assert manifest['total'] == expected
    assert manifest['round'] == 0 and manifest['request'] == waiting.digest
    notes = manifest['images']['city/b.left']
    assert (notes['file'], notes['points']) == ('city/b.left.png', 3)
    readme = (tmp_path / 'package/README.txt').read_text()
    assert readme.startswith(f'Round 0: {pixels} pixels in 3 images need labels: 4 reg')
    assert 'import_answers.py RUN EXPORT --format masks' in readme
    assert 'too small to be shown' not in readme


def test_islands_can_be_joined_and_left_out(waiting, tmp_path):
    manifest = export_request(waiting, tmp_path / 'package', MASKS, join=3, min_pixels=4)
    assert manifest['images']['city/a']['left_out'] == 2
    assert manifest['images']['city/b.left']['left_out'] == 0  # nothing would be left
    shown = Image.open(tmp_path / 'package/requests/city/a.png')
    asked = asked_masks()['city/a']
    asked[20] = False
    asked[7:10, 10:14] = True  # the hole is 3 rows high
    assert np.array_equal(np.asarray(shown) > 0, asked)
    assert '2 more requested pixels lie in islands' in (tmp_path / 'package/README.txt').read_text()


def test_a_package_is_written_whole_and_once(waiting, tmp_path, monkeypatch):
    def killed(self, package):
        next(iter(package.images))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(MaskFormat, 'write_package', killed)
        export_request(waiting, tmp_path / 'package', MASKS)
    assert list(tmp_path.iterdir()) == []
    export_request(waiting, tmp_path / 'package', MASKS)
    with pytest.raises(StoreError, match='package exists already and is never overwritten'):
        export_request(waiting, tmp_path / 'package', MASKS)


def test_progress_sees_every_image(waiting, tmp_path):
    seen = []

    def track(images):
        for packed in images:
            seen.append(packed.image.image_id)
            yield packed

    export_request(waiting, tmp_path / 'package', MASKS, track=track)
    assert seen == sorted(IDS)


def test_what_browsers_do_not_show_becomes_a_png(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'x.tif')
    request = one_image(tmp_path / 'x.tif', np.ones(SIZE, bool))
    manifest = export_request(request, tmp_path / 'package', MASKS)
    assert manifest['images']['x']['file'] == 'x.png'
    assert np.array_equal(picture((tmp_path / 'package/images/x.png').read_bytes()), pixels)


def test_another_image_is_refused(tmp_path):
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(tmp_path / 'x.png')
    request = one_image(tmp_path / 'x.png', np.ones(SIZE, bool))
    with pytest.raises(UserError, match=r'x\.png is not the image .* must have 40x32 pixels'):
        export_request(request, tmp_path / 'package', MASKS)


def test_a_preview_shows_the_request_in_its_colours_and_the_rest_in_grey():
    pixels = np.zeros((380, 760, 3), np.uint8)
    pixels[..., 2] = 200  # red, in BGR
    asked = np.zeros((380, 760), bool)
    asked[100:200, 100:300] = True
    asked[300, 600] = True
    image = AskedImage('x', None, asked, np.where(asked, 1, 255).astype(np.uint8))
    drawn = picture(draw_preview(pixels, image, make_plan(asked), LABELS))
    assert drawn.shape[1] == 2 * 760 + 3 * 10
    top = drawn.shape[0] - 10 - 380
    left, right = drawn[top : top + 380, 10:770], drawn[top : top + 380, 780:1540]
    assert (left[asked] == (200, 0, 0)).all()
    assert left[300, 604].tolist() == [200, 0, 0]  # around a point, too
    assert left[20, 20].std() == 0 and right[20, 20].tolist() == left[20, 20].tolist()
    assert left[150, 98].tolist() == list(ASKED_COLOUR)
    belief = 0.25 * np.array([200, 0, 0]) + 0.75 * np.array(LABELS.colours[1])
    assert (right[150, 150] == belief.astype(int)).all()
    assert right[300, 603].tolist() == list(LABELS.colours[1])


@pytest.mark.parametrize(
    ('size', 'width', 'panels'),
    [((32, 40), 760, 2), ((600, 3000), 1520, 2), ((3000, 600), 304, 2), ((32, 40), 760, 1)],
)
def test_previews_of_any_size_can_be_looked_at(size, width, panels):
    asked = np.zeros(size, bool)
    asked[:2] = True
    prelabels = np.full(size, 1, np.uint8) if panels == 2 else None
    image = AskedImage('a rather long name of an image', None, asked, prelabels)
    content = draw_preview(np.zeros((*size, 3), np.uint8), image, make_plan(asked), LABELS)
    height = size[0] * width // size[1]
    drawn = picture(content)
    stacked = panels == 2 and 2 * width > 1520
    assert drawn.shape[0] >= height * (2 if stacked else 1)
    assert drawn.shape[1] >= width * (1 if stacked else panels)
    assert max(drawn.shape) < 2 * 1520


def test_beliefs_of_other_places_are_not_shown():
    asked = np.zeros(SIZE, bool)
    asked[2:9, 2:9] = True
    pixels = np.zeros((*SIZE, 3), np.uint8)
    plan = make_plan(asked)
    found = []
    for prelabels in (np.where(asked, 1, 255).astype(np.uint8), believed('c')):
        prelabels[asked] = 1
        found.append(draw_preview(pixels, AskedImage('x', None, asked, prelabels), plan, LABELS))
    assert found[0] == found[1]
