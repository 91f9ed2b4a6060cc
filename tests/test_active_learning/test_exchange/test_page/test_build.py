"""The page as a file: self-contained, small, and in every request folder."""

import re

import numpy as np
import pytest
from colorspacious import cspace_convert, deltaE
from exchange_runs import CLASSES, IDS, SIZE, BareRequest, asked_masks
from page_requests import make_request, page_data
from PIL import Image

from mmseg_tsf.active_learning.exchange.label_set import LabelSet
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.page import build_page
from mmseg_tsf.active_learning.exchange.page.build import HUES, MODULES, WEB, class_styles


def test_every_request_folder_and_package_has_the_same_page(waiting, tmp_path):
    export_request(waiting, tmp_path / 'package', dict(type='page'))
    own, packed = waiting.sealed.path / 'annotate.html', tmp_path / 'package/annotate.html'
    assert own.read_bytes() == packed.read_bytes()
    data = page_data(own)
    assert data['request'] == waiting.digest and data['round'] == 0
    assert [image['id'] for image in data['images']] == sorted(IDS)
    names = [one['name'] for one in data['classes']]
    assert names == ['background (class)', 'road', 'car', 'pole']
    for image in data['images']:
        assert (image['height'], image['width']) == SIZE
        assert (tmp_path / 'package' / image['file']).is_file()
        assert (waiting.sealed.path / image['file']).is_file()
    readme = (waiting.sealed.path / 'README.txt').read_text()
    assert 'annotate.html' in readme and '--format page' in readme


def test_another_cut_of_the_same_request_is_another_work(waiting, tmp_path):
    export_request(waiting, tmp_path / 'package', dict(type='page'), join=3)
    first = page_data(waiting.sealed.path / 'annotate.html')
    second = page_data(tmp_path / 'package/annotate.html')
    assert first['request'] == second['request'] and first['work'] != second['work']


def test_images_that_a_browser_does_not_show_are_copied(tmp_path):
    asked = {'deep/a#1': asked_masks()['c']}
    beliefs = {'deep/a#1': np.zeros(SIZE, np.uint8)}
    request = make_request(tmp_path, asked, beliefs, CLASSES, suffix='.tif')
    (image,) = page_data(request.sealed.path / 'annotate.html')['images']
    assert image['file'] == 'images_for_page/deep/a%231.png'
    copy = Image.open(request.sealed.path / 'images_for_page/deep/a#1.png')
    assert np.array_equal(copy, Image.open(request.image_file('deep/a#1')))


def test_the_page_needs_nothing_else():
    page = build_page('d', 0, LabelSet(('</script><b>', 'b')), []).decode()
    assert not re.search(r'(src|href)="|@import|https?://|url\(', page)
    assert re.search(r"Content-Security-Policy\" content=\"default-src 'none'", page)
    assert len(re.findall('</script>', page)) == 2 and '/*{' not in page
    assert not re.search(r'^(import|export) ', page, re.M)


def test_modules_are_complete_short_and_import_those_before_them():
    assert sorted(path.stem for path in WEB.glob('*.js')) == sorted(MODULES)
    for position, name in enumerate(MODULES):
        text = (WEB / f'{name}.js').read_text()
        assert 20 <= len(text.splitlines()) <= 300, name
        for other in re.findall(r"^import .*? from '\./(\w+)\.js';$", text, re.M):
            assert other in MODULES[:position], (name, other)


@pytest.mark.parametrize('kind', ['deuteranomaly', 'protanomaly', 'tritanomaly'])
def test_classes_look_different_to_the_colour_blind(kind):
    styles = class_styles(tuple(str(i) for i in range(42)))
    assert len({(one['colour'], one['pattern']) for one in styles}) == 42
    rgb = np.array([[int(hue[i : i + 2], 16) for i in (1, 3, 5)] for hue in HUES]) / 255
    space = dict(name='sRGB1+CVD', cvd_type=kind, severity=100)
    seen = np.clip(cspace_convert(rgb, space, 'sRGB1'), 0, 1)
    for i in range(len(HUES)):
        for k in range(i):
            assert deltaE(seen[i], seen[k], input_space='sRGB1') > 10, (HUES[i], HUES[k])


def test_a_page_of_200_images_and_3000_regions_stays_below_2_megabytes(large):
    page = large.sealed.path / 'annotate.html'
    data = page_data(page)
    assert len(data['images']) == 200 and 2900 < data['images'][0]['units'] < 3300
    assert page.stat().st_size < 2_000_000


def test_a_request_without_beliefs_has_a_page(tmp_path):
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / 'x.png')
    request = BareRequest({'x': np.ones(SIZE, bool)}, {'x': tmp_path / 'x.png'})
    export_request(request, tmp_path / 'package', dict(type='page'))
    assert page_data(tmp_path / 'package/annotate.html')['images'][0]['units'] == 1


def test_an_image_of_which_nothing_is_asked_has_no_unit(tmp_path):
    asked = {'x': np.zeros(SIZE, bool), 'y': np.ones(SIZE, bool)}
    beliefs = {image_id: np.zeros(SIZE, np.uint8) for image_id in asked}
    request = make_request(tmp_path, asked, beliefs, CLASSES)
    images = page_data(request.sealed.path / 'annotate.html')['images']
    assert [image['units'] for image in images] == [0, 1]
