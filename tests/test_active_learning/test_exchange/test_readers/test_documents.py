"""JSON and XML: values, or one error, whatever the bytes are."""

import json
import math
from xml.etree import ElementTree

import pytest
from exchange_runs import few
from hypothesis import given
from hypothesis import strategies as st

from mmseg_tsf.active_learning.exchange.readers import documents
from mmseg_tsf.active_learning.exchange.readers.documents import parse_json, parse_xml
from mmseg_tsf.utils.errors import UserError

TEXT = '{"a": [1, "ä", null]}'


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32'])
def test_json_in_every_encoding_that_it_may_have(encoding):
    assert parse_json(TEXT.encode(encoding), 'x') == dict(a=[1, 'ä', None])


def test_numbers_that_are_none_stay_for_the_readers_of_values():
    found = parse_json(b'[NaN, -Infinity, 1e999, 123456789012345678, 9' + b'9' * 5000 + b']', 'x')
    assert math.isnan(found[0]) and found[1:3] == [-math.inf, math.inf]
    assert found[3] == 123456789012345678 and found[4] == math.inf


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'x is not JSON: export it again'),
        (TEXT.encode('latin-1'), 'x is not JSON'),
        (b'{"a": 1', 'x is not JSON'),
        (b'\xff\xfe\xff', 'x is not JSON'),
        (b'[' * 100_000 + b']' * 100_000, 'x is nested too deeply'),
        (b'[{"a": 1, "b": 2, "a": 3}]', "x has 'a' twice in one object: join its contents"),
        (b'{"a":' * 100_000 + b'1' + b'}' * 100_000, 'x is nested too deeply'),
    ],
)
def test_what_is_not_json_is_said(content, message):
    with pytest.raises(UserError, match=message):
        parse_json(content, 'x')


def test_documents_have_limits(monkeypatch):
    monkeypatch.setattr(documents, 'MAX_WEIGHT', 13)
    parse_json(b'[1,2,3,4,5,6,7,8,9,10]', 'x')
    parse_xml(b'<a b="c"/>', 'x')
    for read, content in (
        (parse_json, b'[1,2,3,4,5,6,7,8,9,10,11]'),
        (parse_json, b'[[[[]]]]'),
        (parse_json, b'{"a":{}}'),
        (parse_xml, b'<a><b/></a>'),
    ):
        with pytest.raises(UserError, match='x holds too many values: export fewer images'):
            read(content, 'x')
    monkeypatch.setattr(documents, 'MAX_BYTES', 1 << 20)
    with pytest.raises(UserError, match='x has 2 MiB, more than 1: export fewer images'):
        parse_xml(b' ' * (2 << 20), 'x')


LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>'


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'x is not XML'),
        (b'<a>', 'x is not XML'),
        (b'<a/><b/>', 'x is not XML'),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', 'x is not XML'),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', 'x is not XML'),
        (b'<a>\x00</a>', 'x is not XML'),
        (b'<a>&b;</a>', 'x is not XML'),
        (LAUGHS.encode(), 'x declares the document type a, which no export does'),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', 'x declares the document type a'),
        (b'<a>' * 100_000 + b'</a>' * 100_000, 'x is nested too deeply'),
    ],
)
def test_what_is_not_xml_is_said(content, message):
    with pytest.raises(UserError, match=message):
        parse_xml(content, 'x')


def test_xml_is_read_in_its_encoding():
    for encoding in ('utf-8', 'utf-16', 'latin-1'):
        text = f'<?xml version="1.0" encoding="{encoding}"?><a b="ä"><c/></a>'
        root = parse_xml(text.encode(encoding), 'x')
        assert root.get('b') == 'ä' and [child.tag for child in root] == ['c']


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@few
@given(values)
def test_every_value_comes_back(value):
    found = parse_json(json.dumps(value).encode(), 'x')
    assert json.dumps(found) == json.dumps(json.loads(json.dumps(value), parse_int=shortened))


def shortened(digits):
    return int(digits) if len(digits) < 19 else float(digits)


@few
@given(st.binary(max_size=40))
def test_any_bytes_give_a_value_or_one_error(content):
    for read in (parse_json, parse_xml):
        try:
            found = read(content, 'x')
        except UserError as error:
            assert str(error).startswith('x ')
        else:
            assert read is parse_json or isinstance(found, ElementTree.Element)
