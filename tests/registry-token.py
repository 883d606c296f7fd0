#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Who gives tokens for a docker-registry, on 127.0.0.1: the registry itself checks their signature and scopes.
#   registry-token.py KEYS DIR    KEYS/token.key and token.crt sign; prints "realm URL"; each request is a line of
#                                 JSON in DIR/token.log; DIR/token.json may change the rules at any time:
#     {"lifetime": 60, "anonymous": "pull" | "", "say_lifetime": true, "name": "token" | "access_token",
#      "post": true, "refresh": "a refresh token", "status": 200}
# alice ("secret pass:word") may do everything. Others, anonymous ones too, may pull only.
import base64, http.server, json, os, subprocess, sys, time
from urllib.parse import parse_qs, urlsplit

keys, top = sys.argv[1], sys.argv[2]
USER, PASSWORD = 'alice', 'secret pass:word'


def rules():
    r = {'lifetime': 60, 'anonymous': 'pull', 'say_lifetime': True, 'name': 'token', 'post': True,
         'refresh': 'refresh-token-of-alice', 'status': 200}
    try:
        with open(top + '/token.json') as f:
            r.update(json.load(f))
    except OSError:
        pass
    return r


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=')


def make_token(user, access, lifetime):
    pem = open(keys + '/token.crt').read()
    der = pem.split('-----BEGIN CERTIFICATE-----')[1].split('-----END')[0].replace('\n', '')
    now = int(time.time())
    head = {'typ': 'JWT', 'alg': 'RS256', 'x5c': [der]}
    claims = {'iss': 'test-issuer', 'sub': user, 'aud': 'test-registry', 'exp': now + lifetime, 'nbf': now - 5,
              'iat': now, 'jti': os.urandom(8).hex(), 'access': access}
    text = b64(json.dumps(head).encode()) + b'.' + b64(json.dumps(claims).encode())
    sign = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', keys + '/token.key'], input=text,
                          stdout=subprocess.PIPE, check=True).stdout
    return (text + b'.' + b64(sign)).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def answer(self, status, value, note):
        body = json.dumps(value).encode()
        with open(top + '/token.log', 'a') as f:
            f.write(json.dumps(dict(note, method=self.command, status=status)) + '\n')
        self.send_response(status)
        if status == 401:
            self.send_header('WWW-Authenticate', 'Basic realm="tokens"')
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def grant(self, user, scopes, note, rule):
        allowed = {'alice': {'pull', 'push', 'delete', '*'}}.get(user, set(rule['anonymous'].split(',')))
        access = []
        for scope in ' '.join(scopes).split():
            kind, name, actions = scope.split(':', 2)
            got = [a for a in actions.split(',') if a in allowed]
            access.append({'type': kind, 'name': name, 'actions': got})
        value = {rule['name']: make_token(user, access, rule['lifetime'])}
        if rule['say_lifetime']:
            value['expires_in'] = rule['lifetime']
        if rule['status'] != 200:
            return self.answer(rule['status'], {'errors': [{'code': 'DENIED'}]}, note)
        self.answer(200, value, note)

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        auth = self.headers.get('Authorization', '')
        user = ''
        if auth.startswith('Basic '):
            user, _, password = base64.b64decode(auth[6:]).decode().partition(':')
            if (user, password) != (USER, PASSWORD):
                return self.answer(401, {'details': 'incorrect username or password'}, {'user': user})
        scopes = query.get('scope', [])
        self.grant(user, scopes, {'user': user, 'scope': scopes, 'service': query.get('service'),
                                  'account': query.get('account')}, rules())

    def do_POST(self):
        rule = rules()
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        form = {k: v[0] for k, v in parse_qs(body.decode()).items()}
        note = {'grant_type': form.get('grant_type'), 'scope': form.get('scope'), 'service': form.get('service'),
                'client_id': form.get('client_id')}
        if not rule['post']:
            return self.answer(404, {}, note)
        if form.get('grant_type') == 'refresh_token' and form.get('refresh_token') == rule['refresh']:
            return self.grant(USER, [form.get('scope', '')], note, dict(rule, name='access_token'))
        if form.get('grant_type') == 'password' and (form.get('username'), form.get('password')) == (USER, PASSWORD):
            return self.grant(USER, [form.get('scope', '')], note, dict(rule, name='access_token'))
        self.answer(401, {'error': 'invalid_grant'}, note)


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print('realm http://127.0.0.1:%d/token' % server.server_port, flush=True)
server.serve_forever()
