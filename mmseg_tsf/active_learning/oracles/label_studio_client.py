"""The few calls of Label Studio's HTTP interface that a round needs."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request

from ...utils.errors import UserError

TIMEOUT = 60.0
"""Seconds that a call may take."""
PAGE = 100
"""Tasks that are uploaded or listed at once."""


class LabelStudioClient:
    """Talks to one server; the token stays in memory.

    Args:
        url: Of the server, such as ``http://localhost:8080``.
        token: Of an account there: the legacy kind, or a personal access token, which is traded
            for short-lived ones.

    Raises:
        UserError: From every call: the server can not be reached, or refuses; one sentence.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip('/')
        self._token, self._access = token, None

    def find_project(self, title: str) -> int | None:
        """Number of the project of that title, if there is one."""
        query = urllib.parse.urlencode(dict(title=title, page_size=PAGE))
        found = self._call('GET', f'/api/projects/?{query}')
        listed = found['results'] if isinstance(found, dict) else found
        return next((project['id'] for project in listed if project['title'] == title), None)

    def create_project(self, title: str, labelling_config: str, instruction: str) -> int:
        """Makes a project and returns its number."""
        options = dict(title=title, label_config=labelling_config, expert_instruction=instruction)
        options.update(show_instruction=True, show_collab_predictions=True)
        return self._call('POST', '/api/projects/', options)['id']

    def add_tasks(self, project: int, tasks: list[dict]) -> None:
        """Uploads tasks, with their predictions."""
        for start in range(0, len(tasks), PAGE):
            self._call('POST', f'/api/projects/{project}/import', tasks[start : start + PAGE])

    def tasks(self, project: int) -> list[dict]:
        """All tasks with the annotations that were submitted, as the JSON export has them."""
        query = 'exportType=JSON&download_all_tasks=true'
        return self._call('GET', f'/api/projects/{project}/export?{query}')

    def _call(self, method: str, path: str, content: object = None) -> object:
        try:
            return self._send(method, path, content)
        except urllib.error.HTTPError as error:
            if error.code == 401 and self._access:  # it lives for minutes only
                self._access = None
                return self._call(method, path, content)
            raise UserError(self._refused(error, path)) from None
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

    def _refused(self, error: urllib.error.HTTPError, path: str) -> str:
        if error.code in (401, 403):
            return (
                f'Label Studio at {self.url} refuses the token (HTTP {error.code}): make one under '
                '"Account & Settings" there'
            )
        said = error.read(300).decode(errors='replace')
        return f'Label Studio at {self.url} refuses {path} (HTTP {error.code}): {said}'
