"""The filter among Swift's own middleware and beside a receiver of HTTP; run with python3 -m unittest."""
import base64
import hashlib
import hmac
import json
import os
import shutil
import tempfile
import unittest

import eventlet
from eventlet import wsgi
from swift.common import swob
from swift.common.middleware import bulk, copy, slo

import swift_webhook

KEY = b'a key of 32 bytes for the tests!'
SECRET = 'whsec_' + base64.b64encode(KEY).decode()


class Proxy:
    """What stands behind the filter: answers as told, and knows the containers' metadata."""

    def __init__(self):
        self.status, self.meta = '201 Created', {'webhook': 'on'}

    def __call__(self, env, start_response):
        body = env['wsgi.input'].read() if 'wsgi.input' in env else b''
        headers = [('X-Container-Meta-' + name, value) for name, value in self.meta.items()]
        if env['REQUEST_METHOD'] in ('HEAD', 'GET'):
            size = '9' if env['PATH_INFO'].count('/') > 3 else '0'
            start_response('200 OK', headers + [('Content-Length', size), ('Etag', 'x')])
            return [b'']
        start_response(self.status, [('Etag', hashlib.md5(body).hexdigest()), ('Content-Length', '0')])
        return [b'']


class Receiver:
    def __init__(self):
        self.events, self.status = [], '204 No Content'
        self.socket = eventlet.listen(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.server = eventlet.spawn(wsgi.server, self.socket, self._take, log_output=False, keepalive=False)

    def _take(self, env, start_response):
        body = env['wsgi.input'].read()
        self.events.append((env, body))
        start_response(self.status, [])
        return []

    def stop(self):
        self.server.kill()
        self.socket.close()

    def objects(self):
        return [json.loads(body)['data']['object'] for _, body in self.events]


class WebhookTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.receiver = Receiver()
        self.conf = {'receivers': os.path.join(self.folder, 'receivers'), 'spool_dir': os.path.join(self.folder, 'spool')}
        self.write('http://127.0.0.1:%d/hook?a=b' % self.receiver.port)
        self.spool = os.path.join(self.folder, 'spool', 'AUTH_a')
        self.proxy = Proxy()

    def tearDown(self):
        self.receiver.stop()

    def write(self, url, secret=SECRET):
        with open(self.conf['receivers'], 'w') as file:
            file.write('[AUTH_a]\nurl = %s\nsecret = %s\n' % (url, secret))

    def filter(self):
        app = swift_webhook.filter_factory(self.conf)(self.proxy)
        self.addCleanup(lambda: app.resending is not None and app.resending.kill())
        return app

    def put(self, app, path='/v1/AUTH_a/c/o', **kwargs):
        kwargs = dict({'method': 'PUT', 'body': b'x'}, **kwargs)
        return swob.Request.blank(path, **kwargs).get_response(app)

    def spooled(self):
        return os.listdir(self.spool) if os.path.exists(self.spool) else []

    def until(self, condition):
        with eventlet.Timeout(60):
            while not condition():
                eventlet.sleep(0.01)

    def test_tells_of_a_new_object_signed_as_standard_webhooks(self):
        response = self.put(self.filter(), '/v1/AUTH_a/c/S%C3%A3o%20Paulo/a.csv')
        self.assertEqual(response.status_int, 201)
        self.until(lambda: self.receiver.events)
        (env, body), = self.receiver.events
        self.assertEqual(env['QUERY_STRING'], 'a=b')
        signed = '.'.join([env['HTTP_WEBHOOK_ID'], env['HTTP_WEBHOOK_TIMESTAMP'], body.decode()])
        signature = base64.b64encode(hmac.new(KEY, signed.encode(), hashlib.sha256).digest()).decode()
        self.assertEqual(env['HTTP_WEBHOOK_SIGNATURE'], 'v1,' + signature)
        event = json.loads(body)
        self.assertEqual(event['type'], 'object.created')
        self.assertEqual((event['data']['container'], event['data']['object']), ('c', 'São Paulo/a.csv'))
        self.until(lambda: not self.spooled())

    def test_tells_of_nothing_else(self):
        app = self.filter()
        self.put(app, method='DELETE')
        self.put(app, method='POST')
        self.put(app, '/v1/AUTH_a/c')
        self.put(app, '/v1/AUTH_b/c/o')
        self.proxy.status = '412 Precondition Failed'
        self.assertEqual(self.put(app).status_int, 412)
        self.proxy.status, self.proxy.meta = '201 Created', {}
        self.assertEqual(self.put(app).status_int, 201)
        self.assertEqual(self.spooled(), [])
        self.proxy.meta = {'webhook': 'on'}
        self.put(self.filter(), '/v1/AUTH_a/c/last')
        self.until(lambda: self.receiver.events)
        self.assertEqual(self.receiver.objects(), ['last'])

    def test_keeps_events_while_the_receiver_is_away_and_over_a_restart(self):
        self.receiver.status = '503 Service Unavailable'
        app = self.filter()
        for n in range(30):
            self.assertEqual(self.put(app, '/v1/AUTH_a/c/%02d' % n).status_int, 201)
        self.until(lambda: app.receivers['AUTH_a'].away)
        self.assertEqual(len(self.spooled()), 30)
        self.receiver.status, self.receiver.events = '204 No Content', []
        again = self.filter()
        # What is young is left to the worker that made it.
        again.receivers['AUTH_a'].send_waiting()
        self.assertEqual(len(self.spooled()), 30)
        swift_webhook.YOUNG_SECONDS = -1
        self.addCleanup(setattr, swift_webhook, 'YOUNG_SECONDS', 10)
        self.put(again, method='GET')
        self.until(lambda: not self.spooled())
        self.assertEqual(sorted(set(self.receiver.objects())), ['%02d' % n for n in range(30)])

    def test_does_nothing_where_no_request_comes(self):
        # Swift loads the pipeline as root in the process that starts the workers, which are not.
        app = self.filter()
        self.assertIsNone(app.resending)
        self.assertFalse(os.path.exists(self.conf['spool_dir']))
        self.put(app, method='GET')
        resending = app.resending
        self.put(app, method='GET')
        self.assertIs(app.resending, resending)

    def test_fails_no_put_whatever_happens(self):
        app = self.filter()
        with open(self.conf['spool_dir'], 'w'):
            self.assertEqual(self.put(app).status_int, 201)
        os.unlink(self.conf['spool_dir'])
        app.receivers['AUTH_a'].most = 0
        self.assertEqual(self.put(app).status_int, 201)
        self.assertEqual(self.spooled(), [])

    def test_drops_what_is_refused_for_good_and_what_no_one_took_for_a_week(self):
        self.receiver.status = '400 Bad Request'
        self.put(self.filter())
        self.until(lambda: self.receiver.events and not self.spooled())
        for name in ('%017.6f-msg_1' % 1, '%017.6f-msg_2.new' % 1, '.nfs01', 'of-others'):
            with open(os.path.join(self.spool, name), 'w') as file:
                file.write('{}')
        self.filter().receivers['AUTH_a'].send_waiting()
        self.assertEqual(sorted(self.spooled()), ['.nfs01', 'of-others'])
        self.assertEqual(len(self.receiver.events), 1)

    def test_is_told_of_large_objects_archives_and_copies_as_of_any_other(self):
        app = copy.filter_factory({})(bulk.filter_factory({})(slo.filter_factory({})(self.filter())))
        manifest = json.dumps([{'path': '/c/segment', 'size_bytes': 9, 'etag': None}]).encode()
        query = 'multipart-manifest=put&heartbeat=on'
        answer = self.put(app, '/v1/AUTH_a/c/large?' + query, body=manifest, headers={'Accept': 'application/json'})
        self.assertEqual((answer.status_int, json.loads(answer.body)['Response Status']), (202, '201 Created'))
        archive = os.path.join(self.folder, 'archive')
        os.makedirs(os.path.join(archive, 'in'))
        with open(os.path.join(archive, 'in', 'a.csv'), 'w') as file:
            file.write('x')
        packed = shutil.make_archive(os.path.join(self.folder, 'archive'), 'tar', archive)
        with open(packed, 'rb') as file:
            self.put(app, '/v1/AUTH_a/c?extract-archive=tar', body=file.read()).body
        self.put(app, '/v1/AUTH_a/c/copy', headers={'X-Copy-From': 'c/large'}, body=b'')
        self.until(lambda: len(self.receiver.events) == 3)
        self.assertEqual(sorted(self.receiver.objects()), ['copy', 'in/a.csv', 'large'])

    def test_refuses_to_start_with_a_secret_or_address_that_will_not_do(self):
        for url, secret in (('ftp://x/', SECRET), ('https://x/', 'whsec_c2hvcnQ='), ('https://x/', 'plain')):
            self.write(url, secret)
            with self.assertRaisesRegex(ValueError, r'^\[AUTH_a\] (url|secret) must '):
                self.filter()


if __name__ == '__main__':
    unittest.main()
