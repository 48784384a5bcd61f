#!/usr/bin/env python3
"""Prints as many events as one wants, always the same ones: the golden events' kind, with more of everything.

usage: many.py COUNT    one line for each event, oldest first

`make test-trino` asks two engines about them. Needs Python 3 and nothing else.
"""

import sys

from events import ADDRESSES, AGENTS, BODIES, USERS, Maker, line, make

# Letters that are one or two, that look alike, that sort differently by 16 and by 8 bits, or that nobody sees.
NAMES = ["ann ", "Ann", "é", "e\u0301", "\uffee", "😀", "\u0000", "\u001f\u007f", "ß", "SS", "ı", "İ", "\ufeffann", "a\\b", '"', "%_", "null",
         "(unknown)", "x" * 300]
PROGRAMS = ["okhttp/4.12", "Mozilla/5.0 (Linux; 😀)", "python-requests/2.32", "", " ", "'", "curl/8.16.0 "]
# What JSON parsers do not agree about, and what SQL or a spreadsheet might take for its own.
HOSTILE = [
    '{"message":1.0}',
    '{"message":-0}',
    '{"message":1E5}',
    '{"message":1e-7}',
    '{"message":0.1e+2}',
    '{"message":12345678901234567890.123456789}',
    '{"message":false}',
    '{"message":""}',
    '{"message":"\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\"\\\\"}',
    '{"\\u006dessage":"escaped name"}',
    '{"message ":"another name","Message":"and another"}',
    '{"a":{"message":"deeper"}}',
    '{"a":[{"message":"in a list"}],"message":["x"]}',
    '[{"message":"in a list"}]',
    '"message"',
    "null",
    "7",
    " \n\t{ \"message\" : \"spaces\" }\n",
    '{"message":"tab\there"}',
    "{'message':'single quotes'}",
    '{message:"no quotes"}',
    '{"message":NaN}',
    '{"message":+1}',
    '{"message":01}',
    '{"message":1.}',
    '{"message":"a",}',
    '{"message":"a"}{"message":"b"}',
    '{"x":tru,"message":"a"}',
    '{"message":"\\x41"}',
    '{"message":"\\ud800 half a letter"}',
    '{"\\udc00":1,"message":"after half a letter \\ud83d\\ud83d\\ude00"}',
    '/* c */{"message":"comment"}',
    '\ufeff{"message":"mark"}',
    '{"message":"' + "é😀" * 500 + '"}',
    '{"a":' + "[" * 90 + "]" * 90 + ',"message":"deep before"}',
    '{"message":"\u2028\u202e\u0085"}',
    '{"message":"?, :from, \'\' and ; -- /* "}',
    "a,b\n\"c\",=d()\r\n",
    "\u0000",
]


class Crowd(Maker):
    """Enough users, tasks and keys that groups are small and large."""

    def __init__(self, seed):
        super().__init__(seed)
        self.users = USERS + NAMES + [f"user-{number}" for number in range(200)]
        self.agents = AGENTS + PROGRAMS
        self.addresses = ADDRESSES + [f"203.0.113.{number}" for number in range(60)]
        self.bodies = BODIES + HOSTILE
        self.actors, self.keys, self.idempotency_keys, self.tasks_at_once, self.tasks_read = 40, 25, 400, 900, 300

    def request(self, at):
        return super().request(at) | {
            "host": self.one_of([None, "api.example.com", "127.0.0.1:3000"]),
            "protocol": self.one_of([None, "HTTP/1.1", "HTTP/2.0"]),
            "request_content_type": self.one_of([None, "application/json", "text/plain; charset=utf-8", ""]),
            "request_headers": self.one_of([None, '{"accept":["*/*"]}', '{"accept":["a","é"],"x-empty":[""]}']),
            "invocation_id": None if self.once_in(2) else f"{self.count:032x}",
            "error_detail": self.one_of([None, "?", "'; -- /*"]),
        }


if __name__ == "__main__":
    for event in make(Crowd(20_261_121), int(sys.argv[1])):
        print(line(event))
