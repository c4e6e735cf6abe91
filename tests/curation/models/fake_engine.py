"""Stands in for vLLM where a test is about starting and stopping: `/health` and a child process.

    fake_engine.py FOLDER ... --port PORT ...

Writes its own id and its child's to FOLDER/pids, a line a start, and its arguments beside them.
With FOLDER/fail it says why and ends at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def main() -> None:
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    if (folder / "fail").exists():
        print("(EngineCore pid=7) ERROR 11-21 11:53:39 [core.py:1512] ValueError: no such layer")
        print("RuntimeError: Engine core initialization failed. See root cause above.")
        sys.exit(1)
    child = subprocess.Popen(["sleep", "600"])
    (folder / "arguments.json").write_text(json.dumps(arguments))
    with (folder / "pids").open("a") as pids:
        pids.write(f"{os.getpid()} {child.pid}\n")
    HTTPServer.allow_reuse_address = True
    server = HTTPServer(("127.0.0.1", int(arguments[arguments.index("--port") + 1])), Healthy)
    server.serve_forever()


main()
