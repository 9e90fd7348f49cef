#!/usr/bin/env python3
"""Stands in for a warehouse: takes batches by HTTP, as load.py sends them, and shows what a real one must do to keep each row once.

  POST /rows     a batch, one JSON object a line; 204 when all of it is kept
  GET  /rows     everything that was ever taken, one JSON object a line
  GET  /current  the last of every key, without those deleted
  GET  /counts   {"rows": kept, "repeated": that came again, since the start}
"""

import argparse
import http.server
import json
import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (partition INTEGER, "offset" INTEGER, key TEXT, value TEXT, PRIMARY KEY (partition, "offset"));
CREATE TABLE IF NOT EXISTS latest (key TEXT PRIMARY KEY, partition INTEGER, "offset" INTEGER, sealed INTEGER, value TEXT);
CREATE VIEW IF NOT EXISTS current AS SELECT * FROM latest WHERE value IS NOT NULL;
"""
KEEP = 'INSERT OR IGNORE INTO rows VALUES (:partition, :offset, :key, :value)'
# A later record replaces an earlier one; one that comes again does not take its place back. What is deleted stays as a row without a
# value, so that an older batch that is repeated does not bring it back.
REPLACE = """
INSERT INTO latest VALUES (:key, :partition, :offset, :sealed, :value)
ON CONFLICT (key) DO UPDATE SET partition = excluded.partition, "offset" = excluded."offset", sealed = excluded.sealed, value = excluded.value
WHERE excluded."offset" > latest."offset"
"""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        server.requests += 1
        turn = server.requests % server.unwell if server.unwell else -1
        rows = [json.loads(line) for line in self.rfile.read(int(self.headers["Content-Length"])).splitlines()]
        if turn == 1:
            self.send(503, b"", ("Retry-After", "0"))
            return
        with server.database:  # one transaction
            for row in rows:
                server.repeated += 1 - server.database.execute(KEEP, row).rowcount
                server.database.execute(REPLACE, row)
        if turn != 0:  # else the rows are kept and the connection closed without a word
            self.send(204, b"")

    def do_GET(self):
        if self.path == "/counts":
            kept = self.server.database.execute("SELECT count(*) FROM rows").fetchone()[0]
            self.send(200, json.dumps({"rows": kept, "repeated": self.server.repeated}).encode())
        elif self.path in ("/rows", "/current"):
            found = self.server.database.execute(f'SELECT partition, "offset", key, value FROM {self.path[1:]} ORDER BY partition, "offset"')
            lines = (json.dumps(dict(zip(("partition", "offset", "key", "value"), row))) + "\n" for row in found)
            self.send(200, "".join(lines).encode())
        else:
            self.send(404, b"")

    def send(self, status, body, *headers):
        self.send_response(status)
        for name, value in (("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8089)
    parser.add_argument("--database", default=":memory:", help="SQLite's file")
    parser.add_argument("--unwell", type=int, default=0, metavar="N",
                        help="of every N batches (3 or more) one is kept without an answer and one refused for the moment: nothing may double")
    options = parser.parse_args()
    server = http.server.HTTPServer(("127.0.0.1", options.port), Handler)  # one request at a time
    server.database = sqlite3.connect(options.database)
    server.database.executescript(SCHEMA)
    server.unwell, server.requests, server.repeated = options.unwell, 0, 0
    print(json.dumps({"listening": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
