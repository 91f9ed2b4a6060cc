"""Tables between markers: only they change."""

import pytest

from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.markdown import table_lines, write_between_markers


def test_text_between_the_markers_is_replaced(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n<!-- y:begin --><!-- y:end -->')
    write_between_markers(page, 'x', '\n'.join(table_lines(['m', 'n'], [['1', '2']])))
    assert page.read_text() == (
        'a\n<!-- x:begin -->\n\n| m | n |\n| --- | --- |\n| 1 | 2 |\n<!-- x:end -->\nb\n'
        '<!-- y:begin --><!-- y:end -->'
    )


def test_a_missing_file_is_created_and_a_missing_marker_rejected(tmp_path):
    page = tmp_path / 'page.md'
    write_between_markers(page, 'x', 'first')
    write_between_markers(page, 'x', 'second')
    assert page.read_text() == '# X\n\n<!-- x:begin -->\n\nsecond\n<!-- x:end -->\n'
    page.write_text('<!-- x:end --> <!-- x:begin -->')
    with pytest.raises(UserError, match='page.md lacks the lines <!-- x:begin --> and'):
        write_between_markers(page, 'x', 'third')
