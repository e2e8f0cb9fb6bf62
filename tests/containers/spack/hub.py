#!/usr/bin/python3
"""hub.py PORT: answers as the Hugging Face hub does, for one small dataset, university/names.

Prints a line for each request. What it does not know is not found, with the headers that the hub has for that.
"""

import hashlib
import http.server
import json
import sys
import urllib.parse

NAME = "university/names"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
README = """---
configs:
- config_name: wind
  data_files:
  - {split: train, path: wind/train.jsonl}
  - {split: test, path: wind/test.jsonl}
- config_name: stone
  data_files:
  - {split: train, path: stone/train.jsonl}
---
"""


def rows(kind, count):
    return "".join(json.dumps({"number": number, "name": f"{kind} {number}"}) + "\n" for number in range(count)).encode()


FILES = {
    "README.md": README.encode(),
    "wind/train.jsonl": rows("wind", 30),
    "wind/test.jsonl": rows("wind", 3),
    "stone/train.jsonl": rows("stone", 7),
}


def oid(content):
    """As git names a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def info():
    return {
        "_id": "0", "id": NAME, "sha": COMMIT, "author": "university", "private": False, "gated": False, "disabled": False,
        "lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z", "downloads": 0, "likes": 0,
        "tags": [], "siblings": [{"rfilename": path} for path in FILES],
    }


def entries(folder, recursive):
    """What is in a folder; none if there is none."""
    prefix = folder + "/" if folder else ""
    found = {}
    for path, content in FILES.items():
        if path.startswith(prefix):
            head, _, rest = path[len(prefix):].partition("/")
            if rest:
                found[prefix + head] = {"type": "directory", "path": prefix + head, "oid": oid(head.encode()), "size": 0}
            if not rest or recursive:
                found[path] = {"type": "file", "path": path, "oid": oid(content), "size": len(content)}
    return list(found.values()) or None


class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self, code, content, headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def tell(self, value):
        self.respond(200, json.dumps(value).encode(), {"Content-Type": "application/json", "X-Repo-Commit": COMMIT})

    def missing(self, code, message):
        self.respond(404, json.dumps({"error": message}).encode(), {"X-Error-Code": code, "X-Error-Message": message})

    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(size).decode()
        url = urllib.parse.urlsplit(self.path)
        path, query = urllib.parse.unquote(url.path), urllib.parse.parse_qs(url.query)
        for prefix in (f"/api/datasets/{NAME}", f"/datasets/{NAME}"):
            if path == prefix or path.startswith(prefix + "/"):
                words = path[len(prefix):].strip("/").split("/")
                break
        else:
            return self.missing("RepoNotFound", "Repository not found")
        revision = words[1] if len(words) > 1 else "main"
        if revision not in ("main", COMMIT):
            return self.missing("RevisionNotFound", f"Invalid rev id: {revision}")
        rest = "/".join(words[2:])
        if prefix.startswith("/datasets"):
            content = FILES.get(rest)
            if words[0] != "resolve" or content is None:
                return self.missing("EntryNotFound", "Entry not found")
            return self.respond(200, content, {"ETag": f'"{oid(content)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "none"})
        if words[0] in ("", "revision"):
            return self.tell(info())
        if words[0] == "tree":
            found = entries(rest, query.get("recursive", [""])[0].lower() == "true")
            return self.tell(found) if found else self.missing("EntryNotFound", f"{rest} does not exist")
        if words[0] == "paths-info":
            form = json.loads(sent) if sent.startswith("{") else urllib.parse.parse_qs(sent)
            return self.tell([entry for entry in entries("", True) if entry["path"] in form["paths"]])
        return self.missing("EntryNotFound", "Entry not found")

    do_GET = do_HEAD = do_POST = answer

    def log_message(self, format, *arguments):
        print(format % arguments, flush=True)


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Hub).serve_forever()
