"""Palettes that are safe for colour-blind readers."""

import numpy as np
import pytest

from mmseg_tsf.reporting.drawing.palette import VISION, distances, safe_palette, to_hex, to_lab


def nearest_two(palette: np.ndarray) -> float:
    found = distances(palette, palette)
    return found[~np.eye(len(palette), dtype=bool)].min()


@pytest.mark.parametrize('number, least', [(2, 30), (8, 12), (11, 12), (19, 12)])
def test_no_two_colours_look_alike(number, least):
    palette = safe_palette(number)
    assert palette.shape == (number, 3) and palette.dtype == np.uint8
    assert nearest_two(palette) > least
    assert np.array_equal(safe_palette(30)[:number], palette)


def test_it_is_safer_than_the_colours_of_a_known_data_set():
    camvid = [
        [128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [0, 0, 192],
        [128, 128, 0], [192, 128, 128], [64, 64, 128], [64, 0, 128], [64, 64, 0], [0, 128, 192],
    ]  # fmt: skip
    assert nearest_two(safe_palette(11)) > 1.5 * nearest_two(np.asarray(camvid))


def test_lab_and_blindness_are_the_known_ones():
    lab = to_lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]]), None)
    assert lab == pytest.approx(np.array([[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.2]]), abs=0.1)
    red, green = np.array([[200, 60, 60]]), np.array([[110, 110, 30]])
    seen = [to_lab(colour, 'deuteranomaly') for colour in (red, green)]
    plain = [to_lab(colour, None) for colour in (red, green)]
    assert np.linalg.norm(seen[0] - seen[1]) < np.linalg.norm(plain[0] - plain[1]) / 2
    for vision in VISION:  # grey looks the same to everybody
        white = to_lab(np.array([[255, 255, 255]]), vision)
        assert white == pytest.approx(np.array([[100, 0, 0]]), abs=0.1)


def test_hex():
    assert to_hex(np.array([[255, 0, 16]], np.uint8)) == ['#ff0010']
