"""Tells receivers of new objects in Swift: a filter for the proxy, as Swift itself has no notifications.

A container takes part with `X-Container-Meta-Webhook: on`; the operator sets where its account's events go. An event is
in the spool before its PUT is answered, and stays there until the receiver took it. No PUT fails or waits for this.
Place it after `slo` and `dlo` and before `versioned_writes`: there every way to make an object is one plain PUT.
"""
import base64
import configparser
import fcntl
import glob
import hashlib
import hmac
import json
import os
import time
from contextlib import closing
from urllib.parse import urlsplit

import eventlet
from eventlet.green.http import client as http
from swift.common.swob import wsgi_to_str
from swift.common.utils import config_true_value, get_logger, split_path
from swift.common.wsgi import WSGIContext
from swift.proxy.controllers.base import get_container_info
RETRY_SECONDS = 60  # longest pause while receivers are away
YOUNG_SECONDS = 10  # an event of this age is left to the worker that made it
KEEP_SECONDS = 7 * 86400
REFUSED = (400, 413, 422)  # answers to an event that would be the same the next time


class Receiver:
    """Where an account's events wait and go, signed as Standard Webhooks are (https://www.standardwebhooks.com)."""
    def __init__(self, account, section, conf, logger):
        self.url, self.logger, self.away, self.waiting = urlsplit(section['url']), logger, False, 0
        self.connect = {'https': http.HTTPSConnection, 'http': http.HTTPConnection}.get(self.url.scheme)
        if self.connect is None or not self.url.hostname:
            raise ValueError('[%s] url must begin with https:// or http://' % account)
        self.key = base64.b64decode(section['secret'].partition('whsec_')[2])
        if not 24 <= len(self.key) <= 64:
            raise ValueError('[%s] secret must be whsec_ and 24 to 64 bytes in base64' % account)
        self.timeout, self.most = float(conf.get('timeout', 5)), int(conf.get('max_spooled', 100000))
        self.spool = os.path.join(conf['spool_dir'], account)

    def keep(self, body):
        """Puts an event into the spool. It is not synced: a crash of the machine may take it."""
        if self.waiting >= self.most:
            raise OSError('%d events wait in %s already' % (self.waiting, self.spool))
        self.waiting += 1
        os.makedirs(self.spool, mode=0o700, exist_ok=True)
        path = os.path.join(self.spool, '%017.6f-msg_%s' % (time.time(), os.urandom(16).hex()))
        with open(path + '.new', 'w') as file:
            file.write(body)
        os.rename(path + '.new', path)
        return path

    def send(self, path):
        """Sends an event of the spool, and takes it off unless the receiver is away. Never raises."""
        problem = None
        try:
            with open(path, 'rb') as file:
                status = self._post(path.rpartition('-')[2], file.read())
            if status // 100 == 2 or status in REFUSED:
                os.unlink(path)
            if status in REFUSED:
                self.logger.error('webhook: %s refused an event for good: %d', self.url.hostname, status)
            elif status // 100 != 2:
                problem = 'it answered %d' % status
        except FileNotFoundError:
            pass  # another worker sent it
        except (OSError, http.HTTPException, eventlet.Timeout) as error:
            problem = str(error) or type(error).__name__
        if problem and not self.away:
            self.logger.warning('webhook: %s is away: %s; events wait in %s', self.url.hostname, problem, self.spool)
        self.away, self.waiting = bool(problem), self.waiting - (not problem)

    def _post(self, event, body):
        now = str(int(time.time()))
        signature = hmac.new(self.key, ('%s.%s.' % (event, now)).encode() + body, hashlib.sha256).digest()
        headers = {'Content-Type': 'application/json', 'User-Agent': 'swift-webhook', 'webhook-id': event,
                   'webhook-timestamp': now, 'webhook-signature': 'v1,' + base64.b64encode(signature).decode()}
        connection = self.connect(self.url.hostname, self.url.port, timeout=self.timeout)
        with closing(connection), eventlet.Timeout(2 * self.timeout):
            connection.request('POST', self.url._replace(scheme='', netloc='').geturl() or '/', body, headers)
            return connection.getresponse().status

    def send_waiting(self):
        """Sends what waits, the oldest first, until the receiver is away. Gives whether it is there."""
        paths, self.away = glob.glob(os.path.join(glob.escape(self.spool), '[0-9]*-msg_*')), False
        self.waiting = len(paths)  # other workers have put and sent some, too
        for path in sorted(paths)[:1000]:
            age = time.time() - float(os.path.basename(path).partition('-')[0])
            if age > KEEP_SECONDS or (path.endswith('.new') and age > YOUNG_SECONDS):
                self.logger.error('webhook: %s is dropped after %d s', path, age)
                os.unlink(path)
            elif age > YOUNG_SECONDS and not self.away:
                self.send(path)
        return not self.away


class Webhook:
    def __init__(self, app, conf):
        self.app, self.logger, self.spool = app, get_logger(conf, log_route='webhook'), conf['spool_dir']
        file = configparser.ConfigParser(interpolation=None)
        with open(conf['receivers']) as opened:
            file.read_file(opened)
        self.receivers = {account: Receiver(account, file[account], conf, self.logger) for account in file.sections()}
        self.pool, self.resending = eventlet.GreenPool(int(conf.get('concurrency', 20))), None

    def __call__(self, env, start_response):
        if self.resending is None:  # not in the parent of workers, which also loads this, and often as root
            self.resending = eventlet.spawn(self._resend)
        if env['REQUEST_METHOD'] != 'PUT':
            return self.app(env, start_response)
        context = WSGIContext(self.app)
        answer = context._app_call(env)
        if context._get_status_int() // 100 == 2:
            try:
                self._tell(env)
            except Exception:  # a PUT is never failed; who lists the container finds the object
                self.logger.exception('webhook: no event of %s', env.get('PATH_INFO'))
        start_response(context._response_status, context._response_headers, context._response_exc_info)
        return answer

    def _tell(self, env):
        _, account, container, key = split_path(wsgi_to_str(env['PATH_INFO']), 2, 4, True)
        receiver = self.receivers.get(account) if key else None
        if receiver and config_true_value(get_container_info(env, self.app, swift_source='WH')['meta'].get('webhook')):
            now = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
            data = {'account': account, 'container': container, 'object': key, 'transaction': env.get('swift.trans_id')}
            path = receiver.keep(json.dumps({'type': 'object.created', 'timestamp': now, 'data': data}))
            if not receiver.away and self.pool.free() > 0:  # else it is sent from the spool
                self.pool.spawn_n(receiver.send, path)

    def _resend(self, pause=1):
        while True:
            eventlet.sleep(pause)
            try:
                os.makedirs(self.spool, mode=0o700, exist_ok=True)
                with open(os.path.join(self.spool, '.lock'), 'w') as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    away = [receiver for receiver in self.receivers.values() if not receiver.send_waiting()]
                pause = min(2 * pause, RETRY_SECONDS) if away else 1
            except BlockingIOError:
                pause = 1  # another worker is sending what could not be sent at once
            except Exception:
                self.logger.exception('webhook: %s cannot be emptied', self.spool)


def filter_factory(global_conf, **local_conf):
    return lambda app: Webhook(app, dict(global_conf, **local_conf))
