"""A server that answers the calls of ``LabelStudioClient`` from memory."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

TOKEN = 'a-legacy-token'


class FakeLabelStudio:
    """Projects and tasks, and who asked for them.

    Attributes:
        projects: Titles in the order of their numbers, counted from 1.
        tasks: Tasks by project number, with their annotations.
        calls: Method, path and authorisation of every call.
        fail_at: The call of this number, counted from 0, breaks off with HTTP 500.
        tokens: What is accepted as authorisation.
        redirect: Address to which every call is redirected.
        body: Content of every answer, in place of a right one.
    """

    def __init__(self) -> None:
        self.projects, self.tasks, self.calls = [], {}, []
        self.fail_at: int | None = None
        self.tokens = {f'Token {TOKEN}'}
        self.url = ''
        self.redirect: str | None = None
        self.body: bytes | None = None

    def annotate(self, project: int, image_id: str, result: list[dict], at: str = '1') -> None:
        """Submits an annotation."""
        task = next(t for t in self.tasks[project] if t['data']['image_id'] == image_id)
        task['annotations'].append(dict(id=len(self.calls), updated_at=at, result=result))

    def handle(self, method: str, path: str, content: object) -> object:
        url = urlparse(path)
        if (method, url.path) == ('POST', '/api/token/refresh'):
            return dict(access=content['refresh'].split('.')[1])
        if (method, url.path) == ('GET', '/api/projects/'):
            title = parse_qs(url.query)['title'][0]
            found = [i for i, name in enumerate(self.projects, 1) if title in name]
            return dict(results=[dict(id=i, title=self.projects[i - 1]) for i in found])
        if (method, url.path) == ('POST', '/api/projects/'):
            self.projects.append(content['title'])
            self.tasks[len(self.projects)] = []
            return dict(id=len(self.projects))
        number, action = re.fullmatch(r'/api/projects/(\d+)/(\w+)', url.path).groups()
        if (method, action) == ('POST', 'import'):
            new = [dict(task, annotations=[]) for task in content]
            self.tasks[int(number)] += new
            return dict(task_count=len(new))
        assert (method, action) == ('GET', 'export')
        assert parse_qs(url.query)['download_all_tasks'] == ['true']
        return self.tasks[int(number)]


@contextmanager
def serve() -> Iterator[FakeLabelStudio]:
    """The server, on a free port of this machine."""
    fake = FakeLabelStudio()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
            authorisation = self.headers.get('Authorization')
            fake.calls.append((self.command, self.path, authorisation))
            if fake.redirect is not None:
                self.send_response(302)
                self.send_header('Location', fake.redirect)
                self.send_header('Content-Length', '0')
                return self.end_headers()
            if len(fake.calls) - 1 == fake.fail_at:
                return self._reply(500, dict(detail='out of memory'))
            if authorisation not in fake.tokens and not self.path.startswith('/api/token'):
                return self._reply(401, dict(detail='Invalid token.'))
            content = json.loads(body) if body else None
            return self._reply(200, fake.handle(self.command, self.path, content))

        do_GET = do_POST = _answer

        def _reply(self, code: int, content: object) -> None:
            body = json.dumps(content).encode() if fake.body is None else fake.body
            self.send_response(code)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fake.url = f'http://127.0.0.1:{server.server_port}'
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
