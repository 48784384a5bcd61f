#!/usr/bin/env python3
"""Measures the named queries; `run` prepares what it needs and says what may be set.

usage: measure.py BENCH ASK [bytes|peer]…    BENCH and ASK are the binaries

`bytes` asks each query about one day of a table of thirty, in a process of its own that knows no footer yet, and divides
what was read of files by the raw JSON of the thirty days. `peer` asks each query of one day, of the engine and of DuckDB
in turn, each in a process that stays; ratios are made within a round, and their medians told. Both read warm files. What
is compared gave the same rows before, as far as both define them (`peer.py`).
"""

import contextlib
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import peer

HERE = Path(__file__).resolve().parent
QUERIES = HERE.parents[1] / "athena/queries"
EVENTS = int(os.environ.get("EVENTS", "1000000"))
DAILY = int(os.environ.get("DAILY", "100000"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
ONLY = os.environ.get("ONLY", "").split()
LAST_DAY = datetime.date(2026, 11, 20)
DAYS = 30
MOST_BYTES = 1 / 100


class Lake:
    """A folder with raw objects and the table that was made of them."""

    def __init__(self, bench, folder, days, daily):
        self.folder, self.made = folder, folder / "made.json"
        if not self.made.exists():
            print(f"making {days} days of {daily:,} events in {folder}", file=sys.stderr)
            text = 0
            for back in reversed(range(days)):
                start = f"{LAST_DAY - datetime.timedelta(days=back)}T00:00:00Z"
                text += said(bench, "generate", folder, daily, "--start", start)["text_bytes"]
            table = said(bench, "compact", folder)["table"]
            self.made.write_text(json.dumps({"text_bytes": text, "files": [file["path"] for file in table["files"]]}))
        made = json.loads(self.made.read_text())
        self.text_bytes, self.files = made["text_bytes"], made["files"]
        self.metadata = max(folder.glob("lake/**/*.metadata.json"), key=lambda path: path.name)


class Engine:
    """The binary `ask` on a lake, for as many questions as come."""

    def __init__(self, ask, lake):
        now = LAST_DAY + datetime.timedelta(days=1)
        command = [ask, lake.metadata, str(now)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, name, parameters):
        self.process.stdin.write(json.dumps({"query": name, "parameters": parameters}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else sys.exit(f"{name}: the engine ended")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def said(*command):
    ended = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True)
    return json.loads(ended.stdout)


def names():
    return [path.stem for path in sorted(QUERIES.glob("*.sql")) if not ONLY or path.stem in ONLY]


def parameters(name, wanted):
    """The range of the last day, and for what is required something that is there."""
    header = (QUERIES / f"{name}.sql").read_text()
    declared = re.findall(r"^--   (\w+) \w+( = .*?)? : ", header, flags=re.MULTILINE)
    end = str(LAST_DAY + datetime.timedelta(days=1))
    known = wanted | {"from": str(LAST_DAY), "to": end, "as_of": end}
    return {param: known[param] for param, default in declared if param in known and (not default or param in ("from", "to", "as_of"))}


def bytes_of_a_day(bench, ask, data):
    lake = Lake(bench, data / f"month-{DAILY}", DAYS, DAILY)
    wanted = peer.wanted(lake.files, LAST_DAY)
    shares = {}
    for name in names():
        engine = Engine(ask, lake)
        answer = engine.ask(name, parameters(name, wanted))["answer"]
        engine.close()
        shares[name] = answer["bytes_read"] / lake.text_bytes
        print(f"  {name:24} {answer['count']:7,} rows  {answer['bytes_read'] / 1e6:8.2f} MB  1/{1 / shares[name]:,.0f}")
    size = sum(os.path.getsize(file) for file in lake.files)
    print(f"{DAYS} days of {DAILY:,} events: {lake.text_bytes / 1e6:,.0f} MB raw JSON, {size / 1e6:,.0f} MB in {len(lake.files)} files")
    worst = max(shares, key=shares.get)
    print(f"read ÷ raw JSON: median 1/{1 / statistics.median(shares.values()):,.0f}, most 1/{1 / shares[worst]:,.0f} ({worst})")
    return [name for name, share in shares.items() if share > MOST_BYTES]


def beside_the_peer(bench, ask, data):
    lake = Lake(bench, data / f"day-{EVENTS}", 1, EVENTS)
    wanted, duckdb, engine = peer.wanted(lake.files, LAST_DAY), peer.Peer(lake.files), Engine(ask, lake)
    ratios, different = {}, []
    for name in names():
        given = parameters(name, wanted)
        first = engine.ask(name, given)
        different += [f"{name}: {why}" for why in peer.differences(first["answer"], duckdb.rows(first["sql"]))]
        ours, theirs = [], []
        for number in range(ROUNDS):
            turns = [lambda: ours.append(engine.ask(name, given)["seconds"]), lambda: theirs.append(duckdb.seconds(first["sql"]))]
            for turn in turns if number % 2 == 0 else reversed(turns):
                turn()
        ratios[name] = statistics.median(a / b for a, b in zip(ours, theirs))
        print(f"  {name:24} {statistics.median(ours) * 1e3:8.1f} ms {statistics.median(theirs) * 1e3:8.1f} ms  {ratios[name]:.2f}", flush=True)
    engine.close()
    worst = max(ratios, key=ratios.get)
    print(f"{EVENTS:,} events: Daybook ÷ DuckDB, median of the queries {statistics.median(ratios.values()):.2f},"
          f" most {ratios[worst]:.2f} ({worst}), over 1: {sum(ratio > 1 for ratio in ratios.values())} of {len(ratios)}")
    print("the same rows, as far as both define them" if not different else "\n".join(["NOT the same rows:", *different]))
    return different


PARTS = {"bytes": bytes_of_a_day, "peer": beside_the_peer}


@contextlib.contextmanager
def folder():
    kept = os.environ.get("DATA")
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept).resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="daybook-queries-") as made:
            yield Path(made).resolve()


def main(bench, ask, *parts):
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    print(f"{os.cpu_count()} cores, Linux {platform.release()}, load {os.getloadavg()[0]:.1f} before; {peer.VERSION}")
    wrong = []
    with folder() as data:
        for part in parts or PARTS:
            print(f"\n{part}:", flush=True)
            wrong += PARTS[part](Path(bench).resolve(), Path(ask).resolve(), data)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
