"""Client for the calls of Label Studio's HTTP API that a round needs."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request

from ...utils.errors import UserError
from ..exchange.formats.label_studio import check_tasks
from ..exchange.readers.documents import parse_json
from .same_origin import SameOrigin, check_address

TIMEOUT = 60.0
"""Timeout of a call in seconds."""
PAGE = 100
"""Number of tasks uploaded, or projects listed, per call."""
LARGEST = 4 << 30
"""Largest answer in bytes; tasks come with their images."""
TRIES = 2
"""Number of short-lived tokens with which a call is tried."""


class LabelStudioClient:
    """Connection to one server; the token is kept in memory only, and sent to this server only.

    Args:
        url: Address of the server, such as ``http://localhost:8080``; plain ``http`` is allowed
            for addresses that no other network can see.
        token: Token of an account: a legacy token, or a personal access token, which is exchanged
            for short-lived ones.

    Raises:
        UserError: From every call, if the server cannot be reached or rejects it, redirects to
            another server, or answers something else than Label Studio does.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip('/')
        self._token, self._access = token, None
        check_address(self.url)
        if not token.isascii() or not token.isprintable() or ' ' in token:
            raise UserError('the token of Label Studio is no token: copy it again')
        self._opener = urllib.request.build_opener(SameOrigin(self.url))

    def find_project(self, title: str) -> int | None:
        """Number of the project with this title, or ``None``."""
        query = urllib.parse.urlencode(dict(title=title, page_size=PAGE))
        path = f'/api/projects/?{query}'
        found = self._call('GET', path)
        listed = found.get('results') if isinstance(found, dict) else found
        if not isinstance(listed, list):
            raise self._strange(path)
        same = (p for p in listed if isinstance(p, dict) and p.get('title') == title)
        return next((self._number(project, path) for project in same), None)

    def create_project(self, title: str, labelling_config: str, instruction: str) -> int:
        """Creates a project and returns its number."""
        options = dict(title=title, label_config=labelling_config, expert_instruction=instruction)
        options.update(show_instruction=True, show_collab_predictions=True)
        return self._number(self._call('POST', '/api/projects/', options), '/api/projects/')

    def add_tasks(self, project: int, tasks: list[dict]) -> None:
        """Uploads tasks with their predictions."""
        for start in range(0, len(tasks), PAGE):
            self._call('POST', f'/api/projects/{project}/import', tasks[start : start + PAGE])

    def tasks(self, project: int) -> list[dict]:
        """All tasks with their submitted annotations, in the form of the JSON export."""
        query = 'exportType=JSON&download_all_tasks=true'
        found = self._call('GET', f'/api/projects/{project}/export?{query}')
        return check_tasks(found, f'The export of {self.url}/projects/{project}')

    def _call(self, method: str, path: str, content: object = None) -> object:
        for left in reversed(range(TRIES)):
            try:
                return self._send(method, path, content)
            except urllib.error.HTTPError as error:
                if not (error.code == 401 and self._access and left):
                    raise UserError(self._rejection(error, path)) from None
                self._access = None  # it expires after minutes
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, 'reason', None) or error or type(error).__name__
                raise UserError(
                    f'Label Studio at {self.url} does not answer ({reason}): start it or correct '
                    'oracle.url, then resume'
                ) from None
        raise AssertionError

    def _send(self, method: str, path: str, content: object, authorise: bool = True) -> object:
        headers = {'Content-Type': 'application/json'}
        if authorise:
            headers['Authorization'] = self._authorisation()
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with self._opener.open(request, timeout=TIMEOUT) as response:
            content, where = response.read(LARGEST + 1), f'The answer of {self.url}{path}'
            return parse_json(content, where, LARGEST)

    def _authorisation(self) -> str:
        if self._token.count('.') != 2:
            return f'Token {self._token}'
        if self._access is None:
            path, content = '/api/token/refresh', dict(refresh=self._token)
            found = self._send('POST', path, content, authorise=False)
            access = found.get('access') if isinstance(found, dict) else None
            if not isinstance(access, str) or not access.isascii() or not access.isprintable():
                raise self._strange(path)
            self._access = access
        return f'Bearer {self._access}'

    def _rejection(self, error: urllib.error.HTTPError, path: str) -> str:
        if error.code in (401, 403):
            return (
                f'Label Studio at {self.url} rejects the token (HTTP {error.code}): create '
                'one under "Account & Settings" there'
            )
        reason = error.read(300).decode(errors='replace')
        return f'Label Studio at {self.url} rejects {path} (HTTP {error.code}): {reason}'

    def _number(self, project: object, path: str) -> int:
        number = project.get('id') if isinstance(project, dict) else None
        if type(number) is not int:
            raise self._strange(path)
        return number

    def _strange(self, path: str) -> UserError:
        return UserError(
            f'{self.url}{path} does not answer as Label Studio does: correct oracle.url, then '
            'resume'
        )
