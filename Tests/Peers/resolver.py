"""A service that resolves its peers itself, by what `migrate route config etcd` wrote: `resolver.py RESOLVER_JSON PORT NAME`.

Whoever asks it on PORT is answered by the legacy or the candidate of the service whose path was asked for. It follows the rules of docs/reference.md: a lease, a watch,
legacy without either, and its word that it has a route only when no request decided by an older one has still to be sent.
"""
import base64
import http.client
import http.server
import json
import os
import random
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import xxhash

CONFIG = json.load(open(sys.argv[1]))
PORT, NAME = int(sys.argv[2]), sys.argv[3]
LEASE = CONFIG["leaseSeconds"]


def coded(text):
    return base64.b64encode(text.encode()).decode()


class Session:
    """The token of an etcd that asks who is there."""

    user, password = os.environ.get("ETCD_USER"), os.environ.get("ETCD_PASSWORD")
    token = None


def ask(path, body, timeout=2):
    request = urllib.request.Request(f"{CONFIG['etcd']}/v3/{path}", json.dumps(body).encode())
    if Session.user and path != "auth/authenticate":
        if Session.token is None:
            Session.token = answer("auth/authenticate", {"name": Session.user, "password": Session.password})["token"]
        request.add_header("authorization", Session.token)
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError:
        # Whatever it was, the next try signs in again.
        Session.token = None
        raise


def answer(path, body):
    with ask(path, body) as response:
        return json.load(response)


class Route:
    """What is in force, and how many requests that were decided by it have still to be sent."""

    def __init__(self, text):
        fields = text.split(":") if text else ["0", "-", "-"] + [str(CONFIG["buckets"])] * len(CONFIG["services"])
        self.identity = ":".join(fields[:3])
        self.first = [int(field) for field in fields[3:]]
        self.pending = 0


class Resolver:
    def __init__(self):
        self.changed = threading.Condition()
        self.saying = threading.Lock()
        self.taking = threading.Lock()
        self.at = 0
        self.route = Route(None)
        self.settled = self.route.identity
        self.renewed = float("-inf")
        self.lease = None

    def decide(self, service, key):
        bucket = (
            random.randrange(CONFIG["buckets"])
            if key is None
            else xxhash.xxh64_intdigest(f"{CONFIG['migration']}:{key}".encode()) % CONFIG["buckets"]
        )
        with self.changed:
            route = self.route
            route.pending += 1
            # Whoever has not heard from etcd for so long may have been forgotten there.
            is_candidate = time.monotonic() - self.renewed < LEASE and bucket >= route.first[service]
            return route, "candidate" if is_candidate else "legacy"

    def sent(self, route):
        with self.changed:
            route.pending -= 1
            self.changed.notify_all()

    def take(self, text, at):
        """Decides by a route from now on, and says so once nothing decided by an older one has still to be sent. `at` is etcd's revision of it."""
        with self.taking:
            if at < self.at:
                return
            self.at = at
            with self.changed:
                old, self.route = self.route, Route(text)
                self.changed.wait_for(lambda: old.pending == 0)
                self.settled = self.route.identity
            self.say()

    def read(self):
        """Takes the route as etcd has it now, and tells from where to watch it."""
        found = answer("kv/range", {"key": coded(CONFIG["route"])})
        entry, now = found.get("kvs", [None])[0], int(found["header"]["revision"])
        if entry:
            self.take(base64.b64decode(entry["value"]).decode(), int(entry["mod_revision"]))
        else:
            self.take(None, now)
        return now + 1

    def say(self):
        # One at a time, or what was so before could be written over what is.
        with self.saying:
            if self.lease is None:
                # A key without one would stay for ever.
                return
            answer(
                "kv/put",
                {
                    "key": coded(CONFIG["resolvers"] + NAME),
                    "value": coded(f"{self.settled}:{CONFIG['mark']}"),
                    "lease": self.lease,
                },
            )

    def keep_lease(self):
        known = None
        while True:
            try:
                begun = time.monotonic()
                if self.lease is None:
                    self.lease = answer("lease/grant", {"TTL": LEASE})["ID"]
                if known != self.lease:
                    # Only whoever is known there is waited for: nothing is decided for the candidate before. What was acknowledged while this was not known
                    # is read after that; the watch may not have noticed yet that it was cut off. An etcd that was restored counts from less.
                    self.say()
                    self.at = 0
                    self.read()
                    known, self.renewed = self.lease, begun
                else:
                    kept = answer("lease/keepalive", {"ID": self.lease})["result"]
                    if int(kept.get("TTL", 0)) > 0:
                        self.renewed = begun
                    else:
                        self.lease = None
                        continue
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                # With one that nobody has been told of there is nothing to keep.
                if known != self.lease:
                    self.lease = None
            time.sleep(LEASE / 5)

    def follow(self):
        while True:
            try:
                watch = {"create_request": {"key": coded(CONFIG["route"]), "start_revision": self.read()}}
                with ask("watch", watch, timeout=60) as events:
                    for line in events:
                        for event in json.loads(line)["result"].get("events", []):
                            value = event["kv"].get("value") if event.get("type") != "DELETE" else None
                            at = int(event["kv"]["mod_revision"])
                            self.take(base64.b64decode(value).decode() if value else None, at)
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                time.sleep(0.05)


RESOLVER = Resolver()
LOG = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
LOG_PLACE = (CONFIG["log"].split(":")[0], int(CONFIG["log"].split(":")[1]))


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def key(self):
        for place in CONFIG["stickyBy"]:
            if "header" in place and self.headers.get(place["header"]):
                return self.headers[place["header"]]
        return None

    def do_GET(self):
        number = next((n for n, one in enumerate(CONFIG["services"]) if one["path"] == self.path), None)
        if number is None:
            return self.say(404, b"no such service")
        service, key = CONFIG["services"][number], self.key()
        begun = time.monotonic()
        route, side = RESOLVER.decide(number, key)
        place = urllib.parse.urlsplit(service[side])
        end, status, body, cache = "failed", 502, b"no answer", ""
        is_sent = False
        try:
            peer = http.client.HTTPConnection(place.hostname, place.port, timeout=service["timeoutMilliseconds"] / 1000)
            try:
                peer.request("GET", self.path, headers={"x-user-id": key} if key else {})
                RESOLVER.sent(route)
                is_sent = True
                got = peer.getresponse()
                body, status, cache, end = got.read(), got.status, got.getheader("cache-status", ""), "answered"
            finally:
                peer.close()
        except TimeoutError:
            end, status = "timed_out", 504
        except (OSError, http.client.HTTPException):
            pass
        finally:
            if not is_sent:
                RESOLVER.sent(route)
        took = time.monotonic() - begun
        LOG.sendto(f"{CONFIG['mark']} {number}.{side}|{status}|{end}|{took:.6f}|{cache}|{key or ''}".encode(), LOG_PLACE)
        self.say(status, body)

    def say(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


for work in [RESOLVER.keep_lease, RESOLVER.follow]:
    threading.Thread(target=work, daemon=True).start()
Server(("127.0.0.1", PORT), Front).serve_forever()
