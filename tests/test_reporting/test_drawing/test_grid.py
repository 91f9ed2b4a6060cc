"""Grids of pictures and colours of labels."""

import numpy as np
from matplotlib import image as mpl_image

from mmseg_tsf.reporting.drawing.grid import colour, draw_grid

PALETTE = [[250, 0, 0], [0, 250, 0]]


def test_ids_without_a_colour_are_black():
    found = colour(np.array([[1, 0, 255]], np.uint8), PALETTE)
    assert found.dtype == np.uint8
    assert found.tolist() == [[[0, 250, 0], [250, 0, 0], [0, 0, 0]]]


def test_what_is_outside_is_grey(tmp_path):
    labels, inside = np.zeros((1, 20, 30), np.uint8), np.ones((1, 20, 30), bool)
    inside[:, :, 15:] = False
    columns = [('labels', colour(labels, PALETTE)), ('weight', np.full((1, 20, 30), 0.5))]
    metainfo = dict(classes=['a', 'b'], palette=PALETTE)
    draw_grid(columns, ['x'], inside, metainfo, tmp_path / 'grid.png')
    pixels = (255 * mpl_image.imread(tmp_path / 'grid.png')[..., :3]).round().astype(int)
    red = (pixels == PALETTE[0]).all(axis=-1).sum()
    grey = np.isin(pixels, (127, 128)).all(axis=-1).sum()
    assert red > 1000 and 1.7 < grey / red < 2.3  # half of both pictures is outside
