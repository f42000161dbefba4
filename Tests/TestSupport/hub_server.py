#!/usr/bin/env python3
"""A hub on this machine that misbehaves as it is told, for tests.

    hub_server.py ROOT CERTIFICATE KEY LOG

Serves the folders ROOT/owner/name as models (ROOT/datasets/owner/name as data sets) over the
addresses of Hugging Face and of ModelScope. Prints one line with three ports: the hub, a second
host to which large files are redirected, and one without TLS. Every request is written to LOG as a
line of JSON. A repository's file `.behaviour` says what goes wrong there:

    drop         bytes after which each answer is cut off
    dies         how many answers with files come before all others are cut off at once
    lie          bytes by which the announced length differs from the listed one
    corrupt      how many answers have a wrong byte
    ranges       false: ranges are ignored; "wrong": another part than asked is sent; "mixed": the
                 second answer ignores its range
    status       answers every request with this status
    busy         [how many requests are answered so, status, seconds of Retry-After]
    gated        files are refused with 403 and the header of gated repositories
    private      the token without which nothing is shown
    redirect     "plain": to the port without TLS; "loop": to itself
    stall        seconds before each answer
    slow         seconds before each file that is there
    commit       another commit than usual
    loop         listings never come to their last page
    second       the second host answers with this status
    names        listed instead of the files that are there
"""
import hashlib, http.server, json, os, ssl, sys, threading, time
from urllib.parse import parse_qs, unquote, urlparse

ROOT, CERTIFICATE, KEY, LOG = sys.argv[1:5]
COMMIT = "c0ffee" + "0" * 34
LARGE = 1000  # bytes from which a file is large and has a SHA-256
lock = threading.Lock()
counts = {}
ports = {}


def count(key):
    with lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key]


def behaviour(folder):
    try:
        with open(folder + "/.behaviour") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def files(folder):
    for parent, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(parent, name)
            if name != ".behaviour":
                yield os.path.relpath(path, folder), open(path, "rb").read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urlparse(self.path)
        self.query = {key: values[0] for key, values in parse_qs(url.query).items()}
        parts = [unquote(part) for part in url.path.split("/")[1:]]
        with lock, open(LOG, "a") as log:
            log.write(json.dumps({
                "place": self.server.name, "path": self.path,
                "headers": {k.lower(): v for k, v in self.headers.items()}}) + "\n")
        try:
            self.route(parts)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    do_HEAD = do_GET

    def route(self, parts):
        if parts[:2] == ["api", "v1"]:
            return self.modelscope(parts[2], parts[3:5], parts[5:])
        if parts[0] == "api":
            return self.hugging_face_api(parts[1], parts[2:4], parts[4:])
        kind = "models"
        if parts[0] == "datasets":
            kind, parts = "datasets", parts[1:]
        if parts[2:3] == ["resolve"]:
            return self.file(kind, parts[:2], "/".join(parts[4:]))
        self.answer(404, b"nothing here")

    def opened(self, kind, id):
        """The repository's folder and behaviour, unless the request has been answered."""
        folder = os.path.join(ROOT, *(["datasets"] if kind == "datasets" else []), *id)
        if not os.path.isdir(folder):
            return self.answer(401 if self.server.name == "hub" else 404, b"Repository not found")
        what = behaviour(folder)
        time.sleep(what.get("stall", 0))
        token = self.headers.get("Authorization")
        if self.server.name == "hub" and "private" in what and token != "Bearer " + what["private"]:
            return self.answer(401, b"Invalid credentials")
        if "busy" in what:
            times, status, seconds = what["busy"]
            if count(("busy", folder)) <= times:
                return self.answer(status, b"busy", {"Retry-After": str(seconds)})
        if "status" in what:
            return self.answer(what["status"], b"as told")
        return folder, what

    def hugging_face_api(self, kind, id, rest):
        found = self.opened(kind, id)
        if not found:
            return
        folder, what = found
        commit = what.get("commit", COMMIT)
        if rest[0] == "revision":
            if rest[1] not in ("main", commit):
                return self.answer(404, b"Invalid rev id", {"X-Error-Code": "RevisionNotFound"})
            return self.json({"id": "/".join(id), "sha": commit})
        entries = []
        for path, content in files(folder):
            entry = {"type": "file", "path": path, "size": len(content),
                     "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()}
            if len(content) >= LARGE:
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content),
                                "pointerSize": 130}
            entries.append(entry)
        entries = [dict(entries[0], path=name) for name in what.get("names", [])] or entries
        entries.append({"type": "directory", "path": "folder", "size": 0, "oid": COMMIT})
        # Pages of three, to be followed by the header Link.
        start = int(self.query.get("cursor", 0))
        headers, after = {}, start + 3
        if what.get("loop") and after >= len(entries):
            after = 3
        if after < len(entries):
            base = f"https://localhost:{ports['hub']}" + self.path.split("?")[0]
            headers["Link"] = f'<{base}?recursive=true&cursor={after}>; rel="next"'
        self.json(entries[start:start + 3], headers)

    def modelscope(self, kind, id, rest):
        found = self.opened(kind, id)
        if not found:
            return
        folder, what = found
        if rest == ["repo"]:
            return self.file(kind, id, self.query["FilePath"])
        if self.query.get("Revision") != "master":
            return self.json({"Code": 10010205001, "Message": "no such revision"}, status=404)
        entries = [
            {"Type": "blob", "Path": path, "Name": os.path.basename(path), "Size": len(content),
             "Sha256": hashlib.sha256(content).hexdigest()}
            for path, content in files(folder)]
        if what.get("loop"):
            return self.json({"Code": 200, "Data": {"Files": entries}})
        page, size = int(self.query.get("PageNumber", 1)), int(self.query.get("PageSize", 10000))
        self.json({"Code": 200, "Data": {"Files": entries[(page - 1) * size:page * size]}})

    def file(self, kind, id, path):
        found = self.opened(kind, id)
        if not found:
            return
        folder, what = found
        if what.get("gated"):
            return self.answer(403, b"Access is restricted", {"X-Error-Code": "GatedRepo"})
        full = os.path.join(folder, path)
        if not os.path.isfile(full):
            return self.answer(404, b"Entry not found")
        time.sleep(what.get("slow", 0))
        content = open(full, "rb").read()
        redirect = what.get("redirect")
        if redirect == "loop":
            return self.answer(302, b"", {"Location": self.path})
        if redirect == "plain" and self.server.name != "plain":
            return self.answer(
                302, b"", {"Location": f"http://localhost:{ports['plain']}{self.path}"})
        if len(content) >= LARGE and self.server.name == "hub":
            place = f"https://localhost:{ports['second']}{self.path}"
            return self.answer(302, b"", dict(self.identity(content), Location=place))
        if self.server.name == "second" and "second" in what:
            return self.answer(what["second"], b"no")
        self.bytes(content, what, full)

    def identity(self, content):
        """What huggingface_hub asks for before it fetches a file."""
        large = len(content) >= LARGE
        tag = (hashlib.sha256(content) if large
               else hashlib.sha1(b"blob %d\0" % len(content) + content)).hexdigest()
        headers = {"X-Repo-Commit": self.path.split("/resolve/")[-1][:40], "ETag": f'"{tag}"'}
        if large:
            headers.update({"X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(content))})
        return headers

    def bytes(self, content, what, full):
        size = len(content)
        status, start, end = 200, 0, size
        asked = self.headers.get("Range")
        ranges = what.get("ranges", True)
        if ranges == "mixed":
            ranges = count(("mixed", full)) != 2
        if asked and ranges:
            first, last = asked.removeprefix("bytes=").split("-")
            status, start, end = 206, int(first), min(int(last) + 1, size)
        shift = 10 if what.get("ranges") == "wrong" else 0
        identity = self.identity(content)
        lie = what.get("lie", 0)
        body = content[start:end]
        if what.get("corrupt", 0) >= count(("corrupt", full)):
            body = bytes([body[0] ^ 1]) + body[1:]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (lie if status == 200 else 0)))
        for name, value in identity.items():
            self.send_header(name, value)
        if status == 206:
            self.send_header(
                "Content-Range", f"bytes {start + shift}-{end - 1}/{size + lie}")
        self.end_headers()
        if self.command == "HEAD":
            return
        drop = what.get("drop")
        if "dies" in what and count(("dies", full)) > what["dies"]:
            drop = 0
        if drop is not None and len(body) > drop:
            self.wfile.write(body[:drop])
            self.close_connection = True
            return
        self.wfile.write(body)

    def json(self, value, headers={}, status=200):
        self.answer(status, json.dumps(value).encode(), headers)

    def answer(self, status, body, headers={}):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # clients that hang up are part of the tests


def serve(name, secure):
    server = Server(("127.0.0.1", 0), Handler)
    server.name = name
    server.daemon_threads = True
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, KEY)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False)
    ports[name] = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()


for name in ("hub", "second", "plain"):
    serve(name, secure=name != "plain")
print(f"{ports['hub']} {ports['second']} {ports['plain']}\n", end="", flush=True)
sys.stdin.read()  # until the test ends
