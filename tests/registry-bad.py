#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# A registry on 127.0.0.1 that does what it is told, good and bad.
#   registry-bad.py KEYS DIR     prints "other HOST:PORT", "tls HOST:PORT" and "host HOST:PORT": three doors to the same
#                                content; the TLS one has KEYS/server.pem. Content is in DIR/data.
# DIR/log has a line of JSON for each request: door, method, path, status, auth, range, in (bytes of body received),
# out (bytes of body sent). It is written after the answer: "/quiet", which is in no log, answers when all lines are there, or
# after half a second. DIR/rules.json may be replaced at any time (by rename), which begins all counts anew, and what was
# asked before is in no log any more:
#   {"auth": "basic" | "bearer" | "", "realm": URL, "range": true, "digest_header": true, "mount": true,
#    "referrers": true, "min_chunk": BYTES, "token_life": SECONDS, "rules": [RULE…]}
# A RULE fits requests whose "DOOR METHOD PATH?QUERY" its "match" (a regular expression) is found in, after the first "skip" and
# at most "times" (default: always) of them; the first that fits does its "do":
#   {"do": "status", "status": 429, "headers": {…}, "body": "…"}
#   {"do": "redirect", "to": "http://HOST/…"}   "{path}" is the path and query of the request
#   {"do": "cut", "after": N}            the answer's body ends after N bytes; without "after", at random ("seed")
#   {"do": "cut-upload", "after": N}     so many bytes of the request's body are taken (and kept), then the connection ends
#   {"do": "length", "add": N}           the Content-Length is wrong by N
#   {"do": "corrupt"}                    one byte is another; {"do": "bytes", "body": "…"} all are
#   {"do": "endless"}                    a body without length that never ends; with "size", of that many zeros
#   {"do": "drip", "bytes": N, "seconds": S}
#   {"do": "headers", "headers": {…}}    overrides (null: left out) headers of an otherwise good answer
#   {"do": "revoke"}                     every token given so far is bad from this request on
#   {"do": "forget"}                     the upload is not known any more: 404
#   {"do": "move"}                       an upload goes on at another Location; "to": another host
#   {"do": "hang", "seconds": S}         nothing is said for so long
#   {"do": "meet", "count": N, "seconds": S}   all wait until N that fit are here at once; a 404 for who waits longer
import base64, hashlib, http.server, json, os, random, re, ssl, sys, threading, time
from urllib.parse import parse_qs, unquote, urlsplit

keys, top = sys.argv[1], sys.argv[2]
data = top + '/data'
os.makedirs(data + '/blobs', exist_ok=True)
os.makedirs(data + '/uploads', exist_ok=True)
lock = threading.RLock()
log_lock = threading.Lock()
met = threading.Condition()
idle = threading.Condition()
USER, PASSWORD = 'alice', 'secret pass:word'
BASIC = 'Basic ' + base64.b64encode(('%s:%s' % (USER, PASSWORD)).encode()).decode()
state = {'stamp': None, 'rules': {}, 'counts': {}, 'tokens': {}, 'serial': 0, 'busy': 0}
DEFAULT = {'auth': '', 'realm': None, 'range': True, 'digest_header': True, 'mount': True, 'referrers': True,
           'min_chunk': 0, 'token_life': 60, 'rules': []}
PIECE = 1 << 20


def settings():
    with lock:
        try:
            st = os.stat(top + '/rules.json')
            stamp = (st.st_mtime_ns, st.st_ino)
        except OSError:
            stamp = 'none'
        if stamp != state['stamp']:
            state['rules'] = dict(DEFAULT)
            if stamp != 'none':
                state['rules'].update(json.load(open(top + '/rules.json')))
            state['stamp'], state['counts'] = stamp, {}
        return state['rules']


def fitting(text):
    rules = settings()['rules']
    with lock:
        for i, rule in enumerate(rules):
            if not re.search(rule.get('match', ''), text):
                continue
            n = state['counts'][i] = state['counts'].get(i, 0) + 1
            skip = rule.get('skip', 0)
            if skip < n <= skip + rule.get('times', 1 << 60):
                return rule
    return {'do': ''}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def parse_request(self):
        if self.raw_requestline[:1] != b'\x16':
            return super().parse_request()
        # TLS, where none is spoken: a line in DIR/hellos. The first one is told so at once, the others later
        with lock, open(top + '/hellos', 'a') as f:
            late = f.tell() > 0
            f.write(self.server.door + '\n')
        time.sleep(0.5 if late else 0)
        self.close_connection = True
        return False

    def meet(self):
        with met:
            self.rule['here'] = self.rule.get('here', 0) + 1
            met.notify_all()
            there = met.wait_for(lambda: self.rule['here'] >= self.rule['count'], self.rule['seconds'])
        self.rule = {'do': ''}
        return there

    # ---- talking ----
    def note(self, status, out):
        settings()
        if self.era != state['stamp']:
            return  # it was under other rules, and is no business of who asks now
        line = {'door': self.server.door, 'method': self.command, 'path': self.path, 'status': status,
                'auth': self.headers.get('Authorization'), 'range': self.headers.get('Range') or
                self.headers.get('Content-Range'), 'meta': self.headers.get('X-Meta-Test'), 'in': self.taken, 'out': out, 'time': round(time.time(), 3)}
        with log_lock, open(top + '/log', 'a') as f:
            f.write(json.dumps(line) + '\n')

    def body_pieces(self, body, start=0, end=None):
        if isinstance(body, bytes):
            yield body[start:end]
            return
        with open(body, 'rb') as f:
            f.seek(start)
            left = (os.path.getsize(body) if end is None else end) - start
            while left > 0:
                piece = f.read(min(PIECE, left))
                left -= len(piece)
                yield piece

    def drain(self):
        for _ in self.request_pieces():
            pass

    def request_pieces(self):
        if self.drained:
            return
        self.drained = True
        if 'chunked' in self.headers.get('Transfer-Encoding', ''):
            while True:
                size = int(self.rfile.readline().split(b';')[0] or b'0', 16)
                left = size
                while left > 0:
                    piece = self.rfile.read(min(left, PIECE))
                    if not piece:
                        raise ConnectionResetError
                    left -= len(piece)
                    self.taken += len(piece)
                    yield piece
                self.rfile.readline()
                if size == 0:
                    return
        left = int(self.headers.get('Content-Length') or 0)
        while left > 0:
            piece = self.rfile.read1(min(left, PIECE))
            if not piece:
                raise ConnectionResetError
            left -= len(piece)
            self.taken += len(piece)
            yield piece

    def answer(self, status, body=b'', start=0, end=None, **headers):
        self.drain()
        what, rule = self.rule['do'], self.rule
        size = len(body) if isinstance(body, bytes) else os.path.getsize(body)
        length = (size if end is None else end) - start
        headers.setdefault('Content-Length', str(length + (rule.get('add', 0) if what == 'length' else 0)))
        for name, value in rule.get('headers', {}).items() if what == 'headers' else ():
            headers.pop(name, None)
            headers.pop(name.replace('-', '_'), None)
            if value is not None:
                headers[name] = value
        if what in ('endless', 'bytes'):
            headers.pop('Content-Length')
            if what == 'bytes':
                body, start, end = rule['body'].encode(), 0, None
                headers['Content-Length'] = str(len(body))
            else:
                headers['Connection'] = 'close'
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        sent = 0
        if self.command != 'HEAD':
            sent = self.send_body(body, start, end, what, rule, length)
        self.note(status, sent)

    def send_body(self, body, start, end, what, rule, length):
        sent = 0
        if what == 'endless':
            zeros = b'\0' * 65536
            limit = rule.get('size', 1 << 60)
            self.close_connection = True
            try:
                while sent < limit:
                    self.wfile.write(zeros)
                    sent += len(zeros)
            except OSError:
                pass
            return sent
        stop = None
        if what == 'cut':
            stop = rule.get('after')
            if stop is None:
                stop = random.Random('%s %s' % (rule.get('seed', 0), self.path)).randrange(max(length, 1))
        for piece in self.body_pieces(body, start, end):
            if what == 'corrupt' and sent == 0 and piece:
                piece = bytes([piece[0] ^ 1]) + piece[1:]
            if stop is not None and sent + len(piece) > stop:
                self.wfile.write(piece[:stop - sent])
                self.end_now()
                return stop
            if what == 'drip':
                for i in range(0, len(piece), rule['bytes']):
                    self.wfile.write(piece[i:i + rule['bytes']])
                    time.sleep(rule['seconds'])
            else:
                self.wfile.write(piece)
            sent += len(piece)
        if what == 'length':
            self.close_connection = True
        return sent

    def end_now(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)

    def error(self, status, code, **headers):
        self.answer(status, json.dumps({'errors': [{'code': code, 'message': code.lower()}]}).encode(),
                    Content_Type='application/json', **headers)

    # ---- who may ----
    def base(self):
        return '%s://%s' % ('https' if self.server.door == 'tls' else 'http', self.headers.get('Host'))

    def token(self, url):
        given = self.headers.get('Authorization')
        query = parse_qs(url.query)
        if self.command == 'POST':
            query = parse_qs(b''.join(self.request_pieces()).decode())
            if query.get('refresh_token') == ['refresh-token-of-alice'] or query.get('password') == [PASSWORD]:
                given = BASIC
        if given not in (None, BASIC):
            return self.error(401, 'UNAUTHORIZED')
        with lock:
            state['serial'] += 1
            token = 'token-%d' % state['serial']
            state['tokens'][token] = (time.time() + settings()['token_life'], given == BASIC)
        self.answer(200, json.dumps({'token': token, 'expires_in': settings()['token_life']}).encode(),
                    Content_Type='application/json')

    def may(self, url):
        kind = settings()['auth']
        given = self.headers.get('Authorization') or ''
        if not kind or (kind == 'basic' and given == BASIC):
            return True
        if kind == 'basic':
            self.error(401, 'UNAUTHORIZED', WWW_Authenticate='Basic realm="bad"')
            return False
        until, known = state['tokens'].get(given[len('Bearer '):], (0, False))
        if time.time() < until and (known or self.command in ('GET', 'HEAD')):
            return True
        realm = settings()['realm'] or self.base() + '/token'
        m = re.match(r'/v2/(.*)/(blobs|manifests|tags|referrers)/', url.path)
        scope = ',scope="repository:%s:pull,push"' % m[1] if m else ''
        self.error(401, 'UNAUTHORIZED', WWW_Authenticate='Bearer realm="%s",service="bad"%s' % (realm, scope))
        return False

    # ---- the way in ----
    def serve(self):
        if self.path == '/quiet':
            return self.be_quiet()
        with idle:
            state['busy'] += 1
        try:
            self.serve_one()
        finally:
            with idle:
                state['busy'] -= 1
                idle.notify_all()

    def be_quiet(self):
        with idle:
            idle.wait_for(lambda: state['busy'] == 0, 0.5)
        self.send_response(204)
        self.end_headers()

    def serve_one(self):
        self.taken, self.drained = 0, False
        url = urlsplit(self.path)
        self.rule = fitting('%s %s %s' % (self.server.door, self.command, self.path))
        self.era = state['stamp']
        what = self.rule['do']
        try:
            if what == 'hang':
                time.sleep(self.rule['seconds'])
                self.rule = {'do': ''}
            if what == 'meet' and not self.meet():
                return self.answer(404)
            if what == 'revoke':
                state['tokens'].clear()
            if what == 'status':
                return self.answer(self.rule['status'], self.rule.get('body', '').encode(),
                                   **self.rule.get('headers', {}))
            if what == 'redirect':
                return self.answer(307, Location=self.rule['to'].replace('{path}', self.path))
            if url.path == '/token':
                return self.token(url)
            if self.may(url):
                self.route(url)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.note(0, 0)
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def route(self, url):
        path = unquote(url.path)
        if path in ('/v2/', '/v2'):
            return self.answer(200, b'{}', Docker_Distribution_API_Version='registry/2.0')
        for pattern, method in (
                (r'/v2/(.+)/blobs/uploads/?$', self.start_upload), (r'/v2/(.+)/blobs/uploads/([0-9a-f-]+)$', self.upload),
                (r'/v2/(.+)/blobs/(sha256:[0-9a-f]{64})$', self.blob), (r'/v2/(.+)/manifests/(.+)$', self.manifest),
                (r'/v2/(.+)/tags/list$', self.tags), (r'/v2/(.+)/referrers/(.+)$', self.referrers)):
            m = re.match(pattern, path)
            if m:
                return method(parse_qs(url.query), *m.groups())
        self.error(404, 'NAME_UNKNOWN')

    # ---- blobs ----
    def has(self, repo, digest):
        return os.path.exists('%s/blobs/%s' % (data, digest)) and \
            os.path.exists('%s/%s.%s' % (data, repo.replace('/', '+'), digest[7:]))

    def link(self, repo, digest):
        open('%s/%s.%s' % (data, repo.replace('/', '+'), digest[7:]), 'w').close()

    def blob(self, query, repo, digest):
        if not self.has(repo, digest):
            return self.error(404, 'BLOB_UNKNOWN')
        path = '%s/blobs/%s' % (data, digest)
        headers = {'Content-Type': 'application/octet-stream'}
        if settings()['digest_header']:
            headers['Docker-Content-Digest'] = digest
        want = re.match(r'bytes=(\d+)-(\d*)$', self.headers.get('Range', ''))
        if want and settings()['range']:
            size = os.path.getsize(path)
            start, end = int(want[1]), int(want[2] or size - 1) + 1
            if start >= size:
                return self.answer(416, Content_Range='bytes */%d' % size)
            return self.answer(206, path, start, min(end, size), Content_Range='bytes %d-%d/%d' % (
                start, min(end, size) - 1, size), **headers)
        self.answer(200, path, **headers)

    def start_upload(self, query, repo):
        if 'mount' in query and settings()['mount'] and 'from' in query:
            digest = query['mount'][0]
            if self.has(query['from'][0], digest):
                self.link(repo, digest)
                return self.answer(201, Location='/v2/%s/blobs/%s' % (repo, digest), Docker_Content_Digest=digest)
        uid = '%032x' % random.getrandbits(128)
        open('%s/uploads/%s' % (data, uid), 'w').close()
        extra = {'OCI-Chunk-Min-Length': str(settings()['min_chunk'])} if settings()['min_chunk'] else {}
        if 'digest' in query:
            return self.take(query, repo, uid)
        self.answer(202, Location=self.where(repo, uid), Docker_Upload_UUID=uid, Range='0-0', **extra)

    def where(self, repo, uid):
        host = self.rule['to'] if self.rule['do'] == 'move' and 'to' in self.rule else ''
        return '%s/v2/%s/blobs/uploads/%s?_state=%s' % (host, repo, uid, random.getrandbits(32))

    def upload(self, query, repo, uid):
        path = '%s/uploads/%s' % (data, uid)
        if self.rule['do'] == 'forget' and os.path.exists(path):
            os.unlink(path)
        if not os.path.exists(path):
            return self.error(404, 'BLOB_UPLOAD_UNKNOWN')
        size = os.path.getsize(path)
        if self.command == 'GET':
            return self.answer(204, Location=self.where(repo, uid), Range='0-%d' % max(size - 1, 0), Docker_Upload_UUID=uid)
        if self.command == 'DELETE':
            os.unlink(path)
            return self.answer(204)
        part = re.match(r'(?:bytes )?(\d+)-(\d+)', self.headers.get('Content-Range', ''))
        if part and int(part[1]) != size:
            return self.answer(416, Location=self.where(repo, uid), Range='0-%d' % max(size - 1, 0))
        self.take(query, repo, uid)

    def take(self, query, repo, uid):
        path = '%s/uploads/%s' % (data, uid)
        stop = self.rule.get('after') if self.rule['do'] == 'cut-upload' else None
        with open(path, 'ab') as f:
            for piece in self.request_pieces():
                if stop is not None and self.taken >= stop:
                    f.write(piece[:len(piece) - (self.taken - stop)])
                    f.flush()
                    self.note(0, 0)
                    return self.end_now()
                f.write(piece)
                f.flush()
        if self.command == 'PATCH':
            return self.answer(202, Location=self.where(repo, uid), Range='0-%d' % max(os.path.getsize(path) - 1, 0),
                               Docker_Upload_UUID=uid)
        digest = query.get('digest', [''])[0]
        made = hashlib.sha256()
        for piece in self.body_pieces(path):
            made.update(piece)
        if digest != 'sha256:' + made.hexdigest():
            return self.error(400, 'DIGEST_INVALID')
        os.rename(path, '%s/blobs/%s' % (data, digest))
        self.link(repo, digest)
        self.answer(201, Location='/v2/%s/blobs/%s' % (repo, digest), Docker_Content_Digest=digest)

    # ---- manifests ----
    def manifest(self, query, repo, ref):
        name = '%s/%s.manifest.%s' % (data, repo.replace('/', '+'), ref.replace(':', '@'))
        if self.command == 'PUT':
            body = b''.join(self.request_pieces())
            digest = 'sha256:' + hashlib.sha256(body).hexdigest()
            value = json.loads(body)
            for part in value.get('layers', []) + ([value['config']] if 'config' in value else []):
                if not self.has(repo, part['digest']):
                    return self.error(400, 'MANIFEST_BLOB_UNKNOWN')
            for file in (name, '%s/%s.manifest.%s' % (data, repo.replace('/', '+'), digest.replace(':', '@'))):
                with open(file, 'wb') as f:
                    f.write(json.dumps(self.headers.get('Content-Type')).encode() + b'\n' + body)
            extra = {}
            if 'subject' in value and settings()['referrers']:
                extra['OCI-Subject'] = value['subject']['digest']
                with open('%s/%s.referrers.%s' % (data, repo.replace('/', '+'), value['subject']['digest'][7:]), 'a') as f:
                    f.write(json.dumps({'mediaType': self.headers.get('Content-Type'), 'digest': digest, 'size': len(body),
                                        'artifactType': value.get('artifactType') or value['config']['mediaType']}) + '\n')
            return self.answer(201, Location='/v2/%s/manifests/%s' % (repo, digest), Docker_Content_Digest=digest, **extra)
        try:
            kind, _, body = open(name, 'rb').read().partition(b'\n')
        except OSError:
            return self.error(404, 'MANIFEST_UNKNOWN')
        headers = {'Content-Type': json.loads(kind) or 'application/json'}
        if settings()['digest_header']:
            headers['Docker-Content-Digest'] = 'sha256:' + hashlib.sha256(body).hexdigest()
        self.answer(200, body, **headers)

    def tags(self, query, repo):
        start = '%s.manifest.' % repo.replace('/', '+')
        found = sorted(n[len(start):] for n in os.listdir(data) if n.startswith(start))
        found = [n for n in found if not n.startswith('sha256@')]
        extra = {}
        if 'last' in query:
            found = [n for n in found if n > query['last'][0]]
        if 'n' in query and len(found) > int(query['n'][0]):
            found = found[:int(query['n'][0])]
            extra['Link'] = '</v2/%s/tags/list?n=%s&last=%s>; rel="next"' % (repo, query['n'][0], found[-1])
        self.answer(200, json.dumps({'name': repo, 'tags': found}).encode(), Content_Type='application/json', **extra)

    def referrers(self, query, repo, digest):
        if not settings()['referrers']:
            return self.error(404, 'NOT_FOUND')
        try:
            found = [json.loads(x) for x in open('%s/%s.referrers.%s' % (data, repo.replace('/', '+'), digest[7:]))]
        except OSError:
            found = []
        kind = 'application/vnd.oci.image.index.v1+json'
        self.answer(200, json.dumps({'schemaVersion': 2, 'mediaType': kind, 'manifests': found}).encode(), Content_Type=kind)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, address)


def door(name):
    server = Server(('127.0.0.1', 0), Handler)
    server.door = name
    if name == 'tls':
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(keys + '/server.pem')
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print('%s 127.0.0.1:%d' % (name, server.server_port), flush=True)


for each in ('other', 'tls', 'host'):
    door(each)
threading.Event().wait()
