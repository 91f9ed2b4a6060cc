"""Names of images, as tools hand them back."""

import unicodedata

import pytest
from exchange_runs import IDS

from mmseg_tsf.active_learning.exchange.names import (
    check_tags,
    match_names,
    name_of_url,
    tag_of,
)
from mmseg_tsf.utils.errors import UserError

TAG = tag_of(3, '0123456789abcdef')


def match(*names, ids=IDS) -> list:
    found = match_names(names, ids, TAG)
    return [found.get(name) for name in names]


@pytest.mark.parametrize(
    ('name', 'image_id'),
    [
        ('city/a.png', 'city/a'),
        ('city/b.left.jpg', 'city/b.left'),
        ('city/b.left', 'city/b.left'),
        ('images/city/a.png', 'city/a'),
        ('images\\city\\a.png', 'city/a'),
        ('./city/a.png', 'city/a'),
        ('/data/city/a.png', 'city/a'),
        (f'{TAG}/city/a.png', 'city/a'),
        (f'images/{TAG}/city/a.png', 'city/a'),
        ('a.png', 'city/a'),
        ('train/a.png', 'city/a'),
        ('b.left.png', 'city/b.left'),
        ('0a1b2c3d-a.png', 'city/a'),
        ('upload/1/0a1b2c3d-b.left.png', 'city/b.left'),
        ('a_png.rf.0123456789abcdef0123456789abcdef.jpg', 'city/a'),
        ('train/b-left_jpg.rf.0123456789abcdef.jpg', 'city/b.left'),
        ('city/b.png', None),
        ('b.png', None),
        ('A.png', None),
        ('ca.png', None),
        ('0a1b2c3d-x.png', None),
        ('', None),
        ('.', None),
    ],
)
def test_a_name_alone_is_matched(name, image_id):
    assert match(name) == [image_id]


def test_spaces_and_letters_with_accents_are_found():
    ids = ('straße ü', 'a b/c d')
    upload = unicodedata.normalize('NFD', '0a1b2c3d-straße_ü.png')
    assert match(upload, ids=ids) == ['straße ü']
    assert match('0a1b2c3d-c_d.png', ids=ids) == ['a b/c d']
    assert match('c-d_png.rf.00ff.jpg', ids=ids) == ['a b/c d']
    assert match(unicodedata.normalize('NFD', 'straße ü.png'), ids=ids) == ['straße ü']
    composed = unicodedata.normalize('NFD', 'straße ü')
    assert match('straße ü.png', ids=(composed,)) == [composed]


def test_what_could_mean_two_is_matched_to_none():
    assert match('x/a.png', 'y/a.png') == [None, None]
    assert match('a.png', ids=('x/a', 'y/a')) == [None]
    assert match('0a1b2c3d-a.png', '4a1b2c3d-a.png') == [None, None]
    assert match('0a1b2c3d-a.png', ids=('x/a', 'y/a')) == [None]
    # the exact name counts, and leaves nothing for the others
    assert match('city/a.png', 'other/a.png', '0a1b2c3d-a.png') == ['city/a', None, None]
    assert match('0a1b2c3d-a.png', 'a.png') == [None, 'city/a']


def test_the_longest_name_is_matched_below_the_folder_of_most():
    ids = ('b', 'a/b')
    assert match('x/a/b.png', 'x/b.png', ids=ids) == ['a/b', 'b']
    assert match('x/a/b.png', 'x/c/b.png', ids=ids) == ['a/b', None]
    assert match('c.png', 'c.jpg', 'city/a.png') == ['c', 'c', 'city/a']  # two answers, later


def test_an_export_of_another_request_is_refused():
    other = tag_of(2, 'ffffffffffff')
    check_tags(['a.png', f'x/{TAG}/a.png', 'round_0/a.png'], TAG, 'export.zip')
    with pytest.raises(UserError, match=f'export.zip holds {other}/a.png, .* request {other}, but'):
        check_tags(['a.png', f'{other}/a.png'], TAG, 'export.zip')


def test_addresses_of_images_are_paths():
    assert name_of_url('/data/upload/7/0a1b2c3d-a%20b.png') == '/data/upload/7/0a1b2c3d-a b.png'
    assert name_of_url('/data/local-files/?d=round%200/images/city/a.png') == (
        'round 0/images/city/a.png'
    )
    assert name_of_url('https://host:80/images/c.png?x=1') == '/images/c.png'
    assert name_of_url('s3://bucket/city/a.png') == '/city/a.png'
    assert name_of_url('http://[') == 'http://['
