"""Simulated manual labels: where they are drawn and what they say."""

import pytest
import torch

from mmseg_tsf.evaluation import answer_cells, draw_cells


@pytest.fixture
def flagged() -> torch.Tensor:
    return torch.rand(9, 12, generator=torch.Generator().manual_seed(0)) < 0.5


@pytest.mark.parametrize('layout', ['pixels', 'blocks'])
@pytest.mark.parametrize('num', [0, 1, 7, 20])
def test_the_number_is_met_inside_the_mask_and_repeats_with_the_seed(flagged, layout, num):
    draws = [draw_cells(flagged, num, layout, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert int(draws[0].sum()) == num
    assert not (draws[0] & ~flagged).any()
    assert torch.equal(draws[0], draws[1])
    assert num == 0 or not torch.equal(draws[0], draws[2])


def test_blocks_keep_together(flagged):
    asked = draw_cells(torch.ones_like(flagged), 16, 'blocks', torch.Generator().manual_seed(3))
    rows, columns = asked.nonzero().unbind(dim=1)
    assert (rows // 4).unique().numel() == (columns // 4).unique().numel() == 1


def test_a_small_mask_gives_all_that_it_has(flagged):
    generator = torch.Generator().manual_seed(0)
    for layout in ('pixels', 'blocks'):
        assert torch.equal(draw_cells(flagged, 1000, layout, generator), flagged)


def test_a_cell_is_answered_by_the_pixel_in_its_middle():
    truth = torch.arange(8 * 12).view(8, 12) % 7
    truth[6, 1] = 255
    asked = torch.zeros(2, 4, dtype=torch.bool)
    asked[0, 2] = asked[1, 0] = True
    manual, cells = answer_cells(asked, truth)
    assert (manual != 255).sum() == 1  # the middle of the other cell, (6, 1), is void
    assert manual[2, 7] == truth[2, 7]
    assert cells.sum() == 2 * 4 * 3
    assert cells[:4, 6:9].all()
    assert cells[4:, :3].all()
