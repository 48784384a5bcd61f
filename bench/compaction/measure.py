#!/usr/bin/env python3
"""Times the compaction; `run` prepares what it needs and says what may be set.

usage: measure.py PROGRAM [PART…]    PROGRAM is the binary `bench`

Each run is a process of its own that writes to a folder of its own; wall time, CPU and peak memory are what the operating
system counted for it, start-up included. What is compared takes turns, in one order and then in the other. A machine may
be slow for a while, so ratios are made within a round, and their medians told.
"""

import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
EVENTS = int(os.environ.get("EVENTS", "1000000"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
PEERS = os.environ.get("PEERS", "chdb duckdb polars").split()
MEMORY = os.environ.get("MEMORY", "256MiB")
APPENDED = 10_000
OURS = "daybook"


@dataclass
class Run:
    """A process that has ended."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    parquet_mb: float = 0
    said: dict | None = None


MEASURES = {"wall s": "wall_s", "CPU s": "cpu_s", "peak MB": "peak_mb", "Parquet MB": "parquet_mb"}


def run(*command):
    """Runs a command to its end, which must be a good one."""
    with tempfile.TemporaryFile() as out:
        begun = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{command[0]} ended with {process.returncode}")
        out.seek(0)
        said = out.read()
    # Linux counts ru_maxrss in KiB.
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, said=json.loads(said) if said else None)


def in_turn(commands):
    """Every command ROUNDS times, one after the other, each round in the other direction."""
    runs = {name: [] for name in commands}
    for number in range(ROUNDS):
        for name in list(commands)[:: 1 if number % 2 == 0 else -1]:
            runs[name].append(commands[name]())
            last = runs[name][-1]
            print(f"  round {number + 1}: {name:18} {last.wall_s:7.2f} s {last.cpu_s:7.2f} CPU s {last.peak_mb:6.0f} MB",
                  file=sys.stderr, flush=True)
    return runs


def median(runs, measure):
    return statistics.median(getattr(run, measure) for run in runs)


def ratio(runs, others, measure):
    """Median, least and greatest of the rounds' ratios."""
    rounds = [getattr(a, measure) / getattr(b, measure) for a, b in zip(runs, others)]
    return f"{statistics.median(rounds):.2f} ({min(rounds):.2f}–{max(rounds):.2f})"


def table(runs, measures=MEASURES):
    print(f"  {'':18}" + "".join(f"{title:>12}" for title in measures))
    for name, its in runs.items():
        print(f"  {name:18}" + "".join(f"{median(its, measure):12.{1 if '_s' in measure else 0}f}" for measure in measures.values()))


class Bench:
    """The binary, and the folders that the parts work in."""

    def __init__(self, program, data, work):
        self.program, self.data, self.work = Path(program).resolve(), data, work

    def raw(self, events, *options):
        """The folder with so many events in raw objects, made if it is not there."""
        folder = self.data / "-".join([str(events), *(option.strip("-") for option in options)])
        if not folder.exists():
            # Whole or not there: it may be used again.
            part = self.work / "generated"
            print(f"making {events:,} events in {folder}", file=sys.stderr)
            run(self.program, "generate", part, events, *options)
            part.rename(folder)
        return folder

    def place(self, name, raw):
        """A folder to compact in, with `raw`'s objects and no lake."""
        place = self.work / name
        shutil.rmtree(place, ignore_errors=True)
        link(raw / "raw", place / "raw")
        return place

    def compact(self, place, rows, *options):
        """Compacts what is pending in `place`; that must make so many rows."""
        ended = run(self.program, "compact", place, *options)
        said = ended.said
        if said["rows"] != rows or said["left"] or said["quarantined"]:
            sys.exit(f"{rows} rows were expected: {said}")
        ended.parquet_mb = said["bytes_out"] / 1e6
        return ended

    def compact_all(self, name, raw, rows, *options):
        """Compacts `raw` into a lake that is not there yet, and removes it."""
        place = self.place(name, raw)
        ended = self.compact(place, rows, *options)
        shutil.rmtree(place)
        return ended

    def peer(self, name, raw):
        file = self.work / f"{name}.parquet"
        ended = run(sys.executable, HERE / "peer.py", name, raw, file)
        ended.parquet_mb = file.stat().st_size / 1e6
        file.unlink()
        return ended

    def check(self):
        """Before anything is timed: what is compared must be the same."""
        raw = self.raw(EVENTS)
        place = self.place("checked", raw)
        said = self.compact(place, EVENTS).said
        checked = subprocess.run([sys.executable, HERE / "check.py", place], input=json.dumps(said), text=True)
        if checked.returncode != 0:
            sys.exit(checked.returncode)
        shutil.rmtree(place)

    def peers(self):
        raw = self.raw(EVENTS)
        commands = {OURS: lambda: self.compact_all("ours", raw, EVENTS)}
        commands |= {f"{name} {version(name)}": lambda name=name: self.peer(name, raw) for name in PEERS}
        runs = in_turn(commands)
        said = runs[OURS][0].said
        print(f"{EVENTS:,} events, {said['lines']:,} lines, {said['objects']} objects, {said['bytes_in'] / 1e6:.0f} MB as gzip")
        table(runs)
        others = [name for name in runs if name != OURS]
        print(f"  {OURS} ÷ the best of them, median of the rounds (least–greatest)")
        for title, measure in MEASURES.items():
            best = min(others, key=lambda name: median(runs[name], measure))
            print(f"  {title:>18}  {ratio(runs[OURS], runs[best], measure)}  {best}")

    def profile(self):
        """Where the time goes, on one thread: there, a stage's time is about its CPU."""
        raw = self.raw(EVENTS)
        runs = in_turn({"one thread": lambda: self.compact_all("profile", raw, EVENTS, "--threads", "1")})
        said = [each.said for each in runs["one thread"]]
        for stage in said[0]["stages"]:
            seconds = statistics.median(each["stages"][stage] for each in said)
            rate = f"{said[0]['lines'] / seconds:12,.0f} events/s per core" if seconds > 0.01 else ""
            print(f"  {stage:>18}  {seconds:7.2f} s {rate}")

    def scale(self):
        sizes = [EVENTS, 4 * EVENTS, 16 * EVENTS]
        raws = {size: self.raw(size) for size in sizes}
        runs = in_turn({f"{size:,} events": lambda size=size: self.compact_all("scale", raws[size], size) for size in sizes})
        table(runs)
        first, *larger = runs
        for size, its in zip(sizes, runs.values()):
            for each in its:
                each.cpu_s /= size / 1e6
        print("  CPU s per million events: " + ", ".join(f"{median(its, 'cpu_s'):.2f}" for its in runs.values()))
        for name in larger:
            print(f"  {name} ÷ {first}: CPU per event {ratio(runs[name], runs[first], 'cpu_s')},"
                  f" peak {ratio(runs[name], runs[first], 'peak_mb')}")

    def append(self):
        """The same new events after a long day, and alone: what a run costs must follow what is new."""
        before = 4 * EVENTS
        raw = self.raw(before + APPENDED, "--objects", str(before // APPENDED + 1))
        *old, new, _late = sorted(path.relative_to(raw) for path in (raw / "raw").rglob("*.gz"))
        day = self.work / "day"
        for path in old:
            link_file(raw / path, day / path)
        first = run(self.program, "compact", day)
        saved = self.work / "saved"
        link(day / "lake", saved)
        link_file(raw / new, day / new)

        def after():
            shutil.rmtree(day / "lake")
            link(saved, day / "lake")
            return self.expect_new(run(self.program, "compact", day))

        def alone():
            place = self.work / "alone"
            link_file(raw / new, place / new)
            ended = self.expect_new(run(self.program, "compact", place))
            shutil.rmtree(place)
            return ended

        into, empty = f"into {first.said['table']['rows']:,}", "into none"
        runs = in_turn({into: after, empty: alone})
        said = runs[into][0].said
        print(f"{said['lines']:,} lines appended, {said['duplicates']} of them duplicates")
        table(runs)
        print("  into a large table ÷ into none: " + ", ".join(
            f"{title} {ratio(runs[into], runs[empty], measure)}" for title, measure in MEASURES.items() if measure != "parquet_mb"))
        shutil.rmtree(day)
        shutil.rmtree(saved)

    @staticmethod
    def expect_new(ended):
        said = ended.said
        if said["objects"] != 1 or said["lines"] != said["rows"] + said["duplicates"] or said["left"]:
            sys.exit(f"one whole object was expected: {said}")
        ended.parquet_mb = said["bytes_out"] / 1e6
        return ended

    def members(self):
        large, small = self.raw(EVENTS), self.raw(EVENTS, "--members")
        runs = in_turn({
            "one member each": lambda: self.compact_all("large", large, EVENTS),
            "small members": lambda: self.compact_all("small", small, EVENTS),
        })
        table(runs)
        print(f"  small members ÷ one each: CPU {ratio(runs['small members'], runs['one member each'], 'cpu_s')}")

    def memory(self):
        raw = self.raw(4 * EVENTS)
        runs = in_turn({f"--memory {MEMORY}": lambda: self.compact_all("memory", raw, 4 * EVENTS, "--memory", MEMORY)})
        print(f"{4 * EVENTS:,} events")
        table(runs)


def link_file(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


def link(source, target):
    """A copy of a folder that takes no room: files that are never written again are shared."""
    final = {".gz", ".parquet", ".avro"}
    shutil.copytree(source, target, copy_function=lambda a, b: (os.link if Path(a).suffix in final else shutil.copy2)(a, b))


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GB, Linux {platform.release()}, load {load:.1f} before"


@contextlib.contextmanager
def folders():
    """Where raw objects are kept, and a folder beside them for everything else."""
    with contextlib.ExitStack() as stack:
        data = os.environ.get("DATA") or stack.enter_context(tempfile.TemporaryDirectory(prefix="daybook-bench-"))
        data = Path(data).resolve()
        data.mkdir(parents=True, exist_ok=True)
        yield data, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="work-", dir=data)))


PARTS = ["peers", "profile", "scale", "append", "members", "memory"]


def main(program, *parts):
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    print(machine())
    print(f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in PEERS))
    with folders() as (data, work):
        bench = Bench(program, data, work)
        bench.check()
        for part in parts or PARTS:
            print(f"\n{part}: medians of {ROUNDS} runs", flush=True)
            getattr(bench, part)()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
