"""Client for the calls of Label Studio's HTTP API that a round needs."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request

from ...utils.errors import UserError

TIMEOUT = 60.0
"""Timeout of a call in seconds."""
PAGE = 100
"""Number of tasks uploaded, or projects listed, per call."""


class LabelStudioClient:
    """Connection to one server; the token is kept in memory only.

    Args:
        url: Address of the server, such as ``http://localhost:8080``.
        token: Token of an account: a legacy token, or a personal access token, which is exchanged
            for short-lived ones.

    Raises:
        UserError: From every call, if the server cannot be reached or rejects it.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip('/')
        self._token, self._access = token, None

    def find_project(self, title: str) -> int | None:
        """Number of the project with this title, or ``None``."""
        query = urllib.parse.urlencode(dict(title=title, page_size=PAGE))
        found = self._call('GET', f'/api/projects/?{query}')
        listed = found['results'] if isinstance(found, dict) else found
        return next((project['id'] for project in listed if project['title'] == title), None)

    def create_project(self, title: str, labelling_config: str, instruction: str) -> int:
        """Creates a project and returns its number."""
        options = dict(title=title, label_config=labelling_config, expert_instruction=instruction)
        options.update(show_instruction=True, show_collab_predictions=True)
        return self._call('POST', '/api/projects/', options)['id']

    def add_tasks(self, project: int, tasks: list[dict]) -> None:
        """Uploads tasks with their predictions."""
        for start in range(0, len(tasks), PAGE):
            self._call('POST', f'/api/projects/{project}/import', tasks[start : start + PAGE])

    def tasks(self, project: int) -> list[dict]:
        """All tasks with their submitted annotations, in the form of the JSON export."""
        query = 'exportType=JSON&download_all_tasks=true'
        return self._call('GET', f'/api/projects/{project}/export?{query}')

    def _call(self, method: str, path: str, content: object = None) -> object:
        try:
            return self._send(method, path, content)
        except urllib.error.HTTPError as error:
            if error.code == 401 and self._access:  # it expires after minutes
                self._access = None
                return self._call(method, path, content)
            raise UserError(self._rejection(error, path)) from None
        except (urllib.error.URLError, TimeoutError) as error:
            reason = getattr(error, 'reason', error)
            raise UserError(
                f'Label Studio at {self.url} does not answer ({reason}): start it or correct '
                'oracle.url, then resume'
            ) from None

    def _send(self, method: str, path: str, content: object, authorise: bool = True) -> object:
        headers = {'Content-Type': 'application/json'}
        if authorise:
            headers['Authorization'] = self._authorisation()
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return json.loads(response.read())

    def _authorisation(self) -> str:
        if self._token.count('.') != 2:
            return f'Token {self._token}'
        if self._access is None:
            content = dict(refresh=self._token)
            found = self._send('POST', '/api/token/refresh', content, authorise=False)
            self._access = found['access']
        return f'Bearer {self._access}'

    def _rejection(self, error: urllib.error.HTTPError, path: str) -> str:
        if error.code in (401, 403):
            return (
                f'Label Studio at {self.url} rejects the token (HTTP {error.code}): create '
                'one under "Account & Settings" there'
            )
        reason = error.read(300).decode(errors='replace')
        return f'Label Studio at {self.url} rejects {path} (HTTP {error.code}): {reason}'
