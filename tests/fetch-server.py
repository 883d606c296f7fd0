#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The other side of tests/fetch.bats, on 127.0.0.1 only: good answers, bad ones, and git.
#   fetch-server.py DIR    serves DIR/files and DIR/git; writes DIR/port, DIR/tls-port (if DIR/tls.pem
#                          is there) and a line for each request into DIR/log
import base64, http.server, os, ssl, subprocess, sys, threading, time
from urllib.parse import urlsplit

top = sys.argv[1]
lock = threading.Lock()
DATE = 'Tue, 14 Nov 2023 22:13:20 GMT'  # 1700000000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def note(self, status):
        auth = self.headers.get('Authorization', '-')
        with lock, open(top + '/log', 'a') as f:
            f.write('%s %s %s %s %s\n' % (self.command, self.path, status, self.server.server_port, auth))

    def answer(self, status, body=b'', **headers):
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.git(urlsplit(self.path))

    def do_GET(self):
        url = urlsplit(self.path)
        parts = url.path.strip('/').split('/')
        if url.path in ('', '/') and url.query in ('named', 'plain'):
            parts = [url.query]
        name = 'do_' + parts[0].replace('-', '_').replace('.', '_')
        try:
            if parts[0] == 'git':
                self.git(url)
            elif hasattr(self, name) and parts[0] not in ('GET', 'POST'):
                getattr(self, name)(parts[1:], url)
            else:
                self.file(url.path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def file(self, path):
        try:
            with open(top + '/files' + path, 'rb') as f:
                body = f.read()
        except OSError:
            return self.answer(404, b'<html>an error page</html>')
        tag = '"%d"' % hash(body)
        if tag == self.headers.get('If-None-Match'):
            return self.answer(304, ETag=tag, Last_Modified=DATE)
        self.answer(200, body, ETag=tag, Last_Modified=DATE)

    def do_plain(self, rest, url):  # nothing to know it again by
        self.answer(200, b'plain\n')

    def do_named(self, rest, url):
        self.answer(200, b'named\n', Content_Disposition='attachment; filename="../../etc/given name"')

    def do_status(self, rest, url):
        self.answer(int(rest[0]), b'<html>an error page</html>')

    def do_hops(self, rest, url):  # /hops/N: N redirects
        n = int(rest[0])
        self.answer(302, b'go on', Location='/hops/%d' % (n - 1) if n > 1 else '/a.txt')

    def do_to(self, rest, url):  # /to?URL
        self.answer(307, b'go on', Location=url.query)

    def do_nowhere(self, rest, url):
        self.answer(302, b'')

    def do_chunked(self, rest, url):
        self.note(200)
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        for i in range(5):
            self.wfile.write(b'7\r\nchunk %d\r\n' % i)
        self.wfile.write(b'0\r\n\r\n')

    def do_broken_chunk(self, rest, url):
        self.note(200)
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        self.wfile.write(b'7\r\nchunk 0\r\nnot a number\r\n')
        self.close_connection = True

    def do_short(self, rest, url):
        self.note(200)
        self.send_response(200)
        self.send_header('Content-Length', '100')
        self.end_headers()
        self.wfile.write(b'too short')
        self.close_connection = True

    def do_endless(self, rest, url):
        self.note(200)
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b'x' * 65536)

    def do_endless_header(self, rest, url):
        self.note(200)
        self.wfile.write(b'HTTP/1.1 200 OK\r\n')
        for i in range(100000):
            self.wfile.write(b'X-%d: %s\r\n' % (i, b'y' * 100))

    def do_slow(self, rest, url):  # a byte now and then
        self.note(200)
        self.send_response(200)
        self.end_headers()
        for i in range(60):
            self.wfile.write(b'x')
            time.sleep(0.5)

    def do_private(self, rest, url):
        if self.headers.get('Authorization') != 'Basic ' + base64.b64encode(b'me:s3cr3t').decode():
            return self.answer(401, b'who?', WWW_Authenticate='Basic realm="x"')
        self.answer(200, b'private\n')

    def git(self, url):
        if url.path.startswith('/git/private') and 'Authorization' not in self.headers:
            return self.answer(401, b'who?', WWW_Authenticate='Basic realm="x"')
        self.note(200)
        env = {
            'PATH': os.environ['PATH'], 'GIT_PROJECT_ROOT': top, 'GIT_HTTP_EXPORT_ALL': '1',
            'PATH_INFO': url.path, 'QUERY_STRING': url.query, 'REQUEST_METHOD': self.command,
            'CONTENT_TYPE': self.headers.get('Content-Type', ''), 'REMOTE_ADDR': '127.0.0.1',
            'GIT_PROTOCOL': self.headers.get('Git-Protocol', ''), 'GIT_CONFIG_COUNT': '1',
            'GIT_CONFIG_KEY_0': 'safe.directory', 'GIT_CONFIG_VALUE_0': '*',
            'HTTP_CONTENT_ENCODING': self.headers.get('Content-Encoding', ''),
        }
        length = int(self.headers.get('Content-Length', 0))
        out = subprocess.run(['git', 'http-backend'], env=env, input=self.rfile.read(length),
                             stdout=subprocess.PIPE).stdout
        head, _, body = out.partition(b'\r\n\r\n')
        lines = [line.split(': ', 1) for line in head.decode().split('\r\n')]
        status = [value for name, value in lines if name == 'Status']
        self.send_response(int(status[0].split()[0]) if status else 200)
        for name, value in lines:
            if name != 'Status':
                self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def start(name, tls):
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(top + '/tls.pem')
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(top + '/' + name + '.new', 'w') as f:
        f.write(str(server.server_port))
    os.rename(top + '/' + name + '.new', top + '/' + name)
    return server


if os.path.exists(top + '/tls.pem'):
    threading.Thread(target=start('tls-port', True).serve_forever, daemon=True).start()
other = start('other-port', False)
threading.Thread(target=other.serve_forever, daemon=True).start()
start('port', False).serve_forever()
