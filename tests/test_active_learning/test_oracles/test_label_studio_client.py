"""Where the token goes, and what a server that is none may answer."""

import fake_label_studio
import pytest
from fake_label_studio import TOKEN

from mmseg_tsf.active_learning.oracles import same_origin
from mmseg_tsf.active_learning.oracles.label_studio_client import LabelStudioClient
from mmseg_tsf.utils.errors import UserError


@pytest.fixture
def server():
    with fake_label_studio.serve() as fake:
        yield fake


def test_the_token_is_not_sent_to_another_server(server):
    with fake_label_studio.serve() as other:
        server.redirect = f'{other.url}/api/projects/'
        client = LabelStudioClient(server.url, TOKEN)
        for call in (
            lambda: client.find_project('x'),
            lambda: client.create_project('x', '<View/>', ''),
            lambda: client.tasks(1),
        ):
            with pytest.raises(UserError, match=f'redirects to {other.url}, and the token is not'):
                call()
        assert other.calls == [] and len(server.calls) == 3


@pytest.mark.parametrize('place', ['https://127.0.0.1/', 'ftp://x/', 'http://localhost.evil.org/'])
def test_neither_another_scheme_nor_another_host_is_followed(server, place):
    server.redirect = place
    with pytest.raises(UserError, match=f'redirects to {place[:-1]}, and the token is not'):
        LabelStudioClient(server.url, TOKEN).find_project('x')


def test_redirects_to_the_same_server_end(server):
    server.redirect = f'{server.url}/api/projects/?again=1'
    with pytest.raises(UserError, match='HTTP 302'):
        LabelStudioClient(server.url, TOKEN).find_project('x')
    assert len(server.calls) < 6
    calls = len(server.calls)
    with pytest.raises(UserError, match='redirects what is uploaded to'):
        LabelStudioClient(server.url, TOKEN).create_project('x', '<View/>', '')
    assert len(server.calls) == calls + 1


def test_a_short_lived_token_is_refreshed_once(server):
    client = LabelStudioClient(server.url, 'head.first.tail')
    server.tokens = {'Bearer first'}
    assert client.find_project('x') is None
    client._access = 'stale'  # it has expired
    assert client.find_project('x') is None
    server.tokens, server.calls = set(), []
    with pytest.raises(UserError, match='rejects the token .HTTP 401.'):
        client.find_project('x')
    assert len(server.calls) == 3  # a call, a refresh, a call


@pytest.mark.parametrize(
    'body',
    [
        b'',
        b'<html>',
        b'3',
        b'"x"',
        b'null',
        b'[' * 10**5,
        b'{"results": 3}',
        b'{"id": "1"}',
        b'[3]',
    ],
)
def test_answers_that_are_none_end_in_one_sentence(server, body):
    server.body = body
    client = LabelStudioClient(server.url, TOKEN)
    text = 'correct oracle.url|is not JSON|is nested too deeply|is not a list of tasks'
    for call in (
        lambda: client.create_project('x', '<View/>', ''),
        lambda: client.tasks(1),
        lambda: LabelStudioClient(server.url, 'a.b.c').find_project('x'),
    ):
        with pytest.raises(UserError, match=text):
            call()


@pytest.mark.parametrize('token', ['a b', 'a\r\nHost: x', 'tökén'])
def test_a_token_that_is_none_is_refused(server, token):
    with pytest.raises(UserError, match='the token of Label Studio is no token: copy it again'):
        LabelStudioClient(server.url, token)


PUBLIC, PRIVATE = '93.184.216.34', '10.1.2.3'


@pytest.mark.parametrize(
    ('url', 'addresses', 'text'),
    [
        ('https://label.example.org', [PUBLIC], None),
        ('http://label.example.org', [PRIVATE], None),
        ('http://labels', ['fd00::1', '192.168.0.9'], None),
        ('http://localhost:8080', ['127.0.0.1', '::1'], None),
        ('http://machine.local', ['fe80::1%eth0'], None),
        ('http://label.example.org', [PUBLIC], 'plain http would show the token'),
        ('http://label.example.org', [PRIVATE, PUBLIC], 'plain http would show the token'),
        ('label.example.org', [], 'which is no address'),
        ('ftp://labels', [], 'which is no address'),
        ('http://', [], 'which is no address'),
        ('http://[x', [], 'which is no address'),
        ('http://labels:port', [], 'which is no address'),
        ('', [], 'which is no address'),
    ],
)
def test_plain_http_stays_in_private_networks(monkeypatch, url, addresses, text):
    found = [(0, 0, 0, '', (address, 0)) for address in addresses]
    monkeypatch.setattr(same_origin.socket, 'getaddrinfo', lambda host, port: found)
    if text is None:
        assert LabelStudioClient(url, TOKEN).url == url
    else:
        with pytest.raises(UserError, match=f'oracle.url is .*, (and )?{text}'):
            LabelStudioClient(url, TOKEN)
