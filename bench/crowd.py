#!/usr/bin/env python3
"""Keeps so many idle and slow connections open to a server until its input ends.

    crowd.py HOST PORT COUNT

A half says nothing; a quarter sends a head, a quarter a body, a byte every few seconds. Each is opened anew when the
server cuts it. Prints one line once all are open, and another at the end.
"""
import random
import resource
import select
import socket
import sys
import threading
import time

HEAD = b"GET /tasks HTTP/1.1\r\nhost: x\r\nx-slow: "
BODY = b"POST /data HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n"
# Seconds between two bytes of a slow one, and connections that are opened in one go.
PAUSE, BURST = 3.0, 400


class Crowd:
    def __init__(self, host, port, count):
        self.address, self.count = (host, port), count
        self.poll = select.epoll()
        self.open, self.next_byte = {}, []
        self.kinds = [b"", b"", HEAD, BODY]
        self.opened = self.ended = self.refused = 0

    def connect(self):
        peer = socket.socket()
        peer.setblocking(False)
        peer.connect_ex(self.address)
        kind = self.kinds[self.opened % len(self.kinds)]
        self.open[peer.fileno()] = [peer, kind, False]
        self.poll.register(peer.fileno(), select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP)
        self.opened += 1

    def drop(self, number):
        peer = self.open.pop(number)[0]
        self.poll.unregister(number)
        peer.close()
        self.ended += 1

    def step(self):
        for number, events in self.poll.poll(0.05):
            entry = self.open[number]
            try:
                if events & (select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
                    if entry[0].recv(4096).startswith(b"HTTP/1.1 503"):
                        self.refused += 1
                    self.drop(number)
                elif not entry[2]:
                    entry[2] = True
                    self.poll.modify(number, select.EPOLLIN | select.EPOLLRDHUP)
                    if entry[1]:
                        entry[0].send(entry[1])
                        self.next_byte.append((time.monotonic() + random.uniform(0, PAUSE), entry[0]))
            except OSError:
                self.drop(number)

    def trickle(self):
        now, waiting = time.monotonic(), []
        for due, peer in self.next_byte:
            if peer.fileno() < 0:
                continue
            if due > now:
                waiting.append((due, peer))
                continue
            try:
                peer.send(b"a")
                waiting.append((now + PAUSE, peer))
            except OSError:
                pass
        self.next_byte = waiting

    def keep(self, stop):
        said, trickled = False, 0.0
        while not stop.is_set():
            for _ in range(min(BURST, self.count - len(self.open))):
                self.connect()
            self.step()
            if time.monotonic() - trickled > 0.25:
                trickled = time.monotonic()
                self.trickle()
            if not said and len(self.open) == self.count and all(entry[2] for entry in self.open.values()):
                said = True
                print(f"{self.count} connections are open", flush=True)
        print(f"{self.opened} opened, {self.ended} cut and opened anew, {self.refused} refused", flush=True)


def main():
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < count + 64:
        sys.exit(f"crowd.py: {count} connections need more than the {hard} files that a process may have (ulimit -n)")
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    Crowd(host, port, count).keep(stop)


main()
