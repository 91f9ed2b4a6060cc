"""Shapes of JSON files."""

import pytest

from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.shapes import NUMBER, TEXT, misfit, read_as

SHAPE = {'n': int, 'x': NUMBER, 't': TEXT, 'l': [{'a': int}], 'm': {...: NUMBER}, 'any': object}


@pytest.mark.parametrize(
    'value',
    [{}, dict(n=1), dict(x=1), dict(x=1.5), dict(t=None), dict(l=[]), dict(l=[dict(a=2, b='x')]),
     dict(m=dict(a=1, b=2.5)), dict(other=[1]), dict(any=True)],
)  # fmt: skip
def test_what_fits(value):
    assert misfit(value, SHAPE) is None


@pytest.mark.parametrize(
    'value, place',
    [([], ''), (None, ''), (dict(n=1.5), '.n'), (dict(n=True), '.n'), (dict(n=None), '.n'),
     (dict(x='1'), '.x'), (dict(t=3), '.t'), (dict(l={}), '.l'), (dict(l=[dict(a='x')]), '.l.0.a'),
     (dict(l=[dict(a=1), 3]), '.l.1'), (dict(m=dict(a=1, b=None)), '.m.b')],
)  # fmt: skip
def test_what_does_not_is_named(value, place):
    assert misfit(value, SHAPE) == place
    with pytest.raises(UserError, match=r'f.json was not written .*: copy it'):
        read_as(value, SHAPE, 'f.json', 'copy it')


def test_an_absent_key_is_a_mistake_of_the_file():
    record = read_as(dict(n=1), SHAPE, 'f.json', 'copy it')
    assert record['n'] == 1 and record.get('x') is None and record == {'n': 1}
    with pytest.raises(UserError, match="f.json has no 'x': copy it"):
        record['x']
