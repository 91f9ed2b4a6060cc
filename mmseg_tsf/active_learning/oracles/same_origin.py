"""Where a token may be sent: to one server, and over plain HTTP in a private network only."""

from __future__ import annotations

import ipaddress
import socket
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPMessage
from typing import IO

from ...utils.errors import UserError

PORTS = dict(http=80, https=443)


def check_address(url: str) -> None:
    """Checks that a token may be sent to an address.

    ``https`` is always allowed. Plain ``http`` shows the token to every network on the way, so it
    is allowed for this machine, private networks, and names that resolve to nothing else.

    Raises:
        UserError: The address is none, or plain ``http`` would go through public networks.
    """
    scheme, host, _ = _origin(url)
    if scheme not in PORTS or not host:
        raise UserError(
            f'oracle.url is {url!r}, which is no address: give one such as http://localhost:8080'
        )
    if scheme == 'http' and not _is_private(host):
        raise UserError(
            f'oracle.url is {url!r}, and plain http would show the token to every network on the '
            'way: give its https address'
        )


class SameOrigin(urllib.request.HTTPRedirectHandler):
    """Follows redirects of reading calls to the same server, and no others.

    Args:
        url: Address of the server.
    """

    max_redirections = 3

    def __init__(self, url: str) -> None:
        self.url = url

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """See the base class.

        Raises:
            UserError: The redirect leads to another server, or would drop what is sent.
        """
        if _origin(newurl) != _origin(self.url):
            target = urllib.parse.urlsplit(newurl)
            raise UserError(
                f'Label Studio at {self.url} redirects to {target.scheme}://{target.netloc}, and '
                'the token is not sent to another server: give the address that it leads to as '
                'oracle.url, if you trust it'
            )
        if req.get_method() != 'GET':
            raise UserError(
                f'Label Studio at {self.url} redirects what is uploaded to {newurl}: correct '
                'oracle.url'
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address."""
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme, parts.hostname or '', parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return '', '', None


def _is_private(host: str) -> bool:
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return True  # nothing can be sent there; the call says so
    return all(_is_inner(ipaddress.ip_address(address.partition('%')[0])) for address in found)


def _is_inner(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_private or address.is_loopback or address.is_link_local
