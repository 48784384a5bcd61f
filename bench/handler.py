"""A handler as one would write it without Daybook: validates a submission and writes it to a file of its own, fsynced.

usage: handler.py FOLDER PORT
"""
import json
import os
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        # A client that ends its load resets its connections.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, {"status": "ok"})

    def do_POST(self):
        try:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not all(isinstance(body[name], str) and body[name] for name in ("user_id", "message")):
                raise ValueError("user_id and message must be texts")
        except (KeyError, TypeError, ValueError) as error:
            return self.answer(400, {"message": str(error)})
        self.answer(201, {"status": "success", "id": keep(body)})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def keep(body):
    name = str(uuid.uuid4())
    with open(os.path.join(sys.argv[1], name), "x") as file:
        json.dump(body, file)
        file.flush()
        os.fsync(file.fileno())
    return name


if __name__ == "__main__":
    os.makedirs(sys.argv[1])
    Server(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
