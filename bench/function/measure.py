"""Times a Lambda function as Lambda sees it: from the start of its process to its first `next`, and to its first answer;
then the CPU that a warm invocation takes.

    measure.py NAME=COMMAND…      the commands are started in turn, RUNS times each

A Runtime API of its own, on one connection at a time, stands for Lambda.
"""

import http.server
import json
import os
import shlex
import statistics
import subprocess
import sys
import threading
import time

RUNS = int(os.environ.get("RUNS", "15"))
WARM = int(os.environ.get("WARM", "2000"))
TICK = os.sysconf("SC_CLK_TCK")

EVENT = {
    "resource": "/{proxy+}",
    "path": "/data",
    "httpMethod": "POST",
    "headers": {"content-type": "application/json", "host": "api.example.org", "user-agent": "measure"},
    "multiValueHeaders": {
        "content-type": ["application/json"],
        "host": ["api.example.org"],
        "user-agent": ["measure"],
    },
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "requestContext": {
        "requestId": "00000000-0000-4000-8000-000000000000",
        "stage": "v1",
        "path": "/v1/data",
        "protocol": "HTTP/1.1",
        "identity": {"sourceIp": "192.0.2.1"},
        "httpMethod": "POST",
    },
    "body": json.dumps({"user_id": "1234", "message": "New record submission", "n": 1}),
    "isBase64Encoded": False,
}


class Run:
    """One process of a function, and what it was seen doing."""

    def __init__(self):
        self.first_next = None
        self.first_answer = None
        self.answers = []
        self.changed = threading.Condition()
        self.given = 0
        self.wanted = 1
        self.over = False

    def wait_for(self, count):
        with self.changed:
            self.wanted = count
            self.changed.notify_all()
            if not self.changed.wait_for(lambda: len(self.answers) >= count, timeout=120):
                sys.exit("the function did not answer")


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        run = self.server.run
        with run.changed:
            run.first_next = run.first_next or time.perf_counter()
            run.changed.wait_for(lambda: run.over or run.given < run.wanted)
            if run.over:
                self.close_connection = True
                return
            run.given += 1
        body = json.dumps(EVENT).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", f"invocation-{run.given}")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 29_000))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:f")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        run = self.server.run
        body = self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else self.chunks()
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        with run.changed:
            run.first_answer = run.first_answer or time.perf_counter()
            run.answers.append((self.path, body))
            run.changed.notify_all()

    def chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Server(http.server.ThreadingHTTPServer):
    """One for each process: a connection that a killed one left behind takes nothing from the next."""

    daemon_threads = True

    def handle_error(self, *_):
        pass


def measure(command, warm):
    server = Server(("127.0.0.1", 0), Api)
    run = server.run = Run()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = os.environ | {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
    }
    logs = open(os.environ.get("LOGS", os.devnull), "wb")
    begun = time.perf_counter()
    process = subprocess.Popen(shlex.split(command), env=env, stdout=logs, stderr=subprocess.STDOUT)
    try:
        run.wait_for(1)
        path, body = run.answers[0]
        if not path.endswith("/response") or json.loads(body).get("statusCode") != 201:
            sys.exit(f"{command}: {path} {body.decode()}")
        cpu = None
        if warm:
            before = cpu_seconds(process.pid)
            run.wait_for(1 + warm)
            cpu = (cpu_seconds(process.pid) - before) / warm
        return run.first_next - begun, run.first_answer - begun, cpu
    finally:
        process.kill()
        process.wait()
        with run.changed:
            run.over = True
            run.changed.notify_all()
        server.shutdown()
        server.server_close()


def main():
    commands = dict(argument.split("=", 1) for argument in sys.argv[1:])
    seen = {name: [] for name in commands}
    # In turn, so that what else the machine does meets all of them alike.
    for _ in range(RUNS):
        for name, command in commands.items():
            seen[name].append(measure(command, 0))
    print(f"{'':10} {'to next, ms':>12} {'to answer, ms':>14} {'warm CPU, µs':>13}   (medians of {RUNS} starts)")
    answers = {}
    for name, command in commands.items():
        to_next, to_answer = (statistics.median(run[index] for run in seen[name]) * 1e3 for index in (0, 1))
        cpu = measure(command, WARM)[2] * 1e6
        answers[name] = (to_answer, cpu)
        print(f"{name:10} {to_next:12.1f} {to_answer:14.1f} {cpu:13.0f}")
    first = next(iter(answers))
    for name in list(answers)[1:]:
        start, cpu = (answers[first][index] / answers[name][index] for index in (0, 1))
        print(f"{first} ÷ {name}: start to answer {start:.3f}, warm CPU {cpu:.2f}")


main()
