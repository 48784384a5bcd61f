"""Plans as data: asked of Terraform, read as resources."""
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Resource:
    """A resource that a plan makes: its address, its type and the arguments that are known."""

    def __init__(self, change):
        self.address = change["address"].removeprefix("module.daybook.")
        self.type = change["type"]
        self.values = change["change"]["after"] or {}
        # The same arguments as far as they are known only once the thing is there.
        self.unknown = change["change"]["after_unknown"] or {}

    def __getitem__(self, name):
        return self.values.get(name)


class Plan:
    """What Terraform would make from nothing."""

    def __init__(self, name, document):
        self.name = name
        self.resources = [
            Resource(change) for change in document["resource_changes"]
            if change["mode"] == "managed" and change["change"]["actions"] == ["create"]
        ]

    def all(self, *types):
        return [resource for resource in self.resources if resource.type in types]

    def one(self, address):
        found = [resource for resource in self.resources if resource.address == address]
        assert len(found) == 1, f"{address}: {len(found)} of it"
        return found[0]

    def has(self, type):
        return bool(self.all(type))


def plan(name, folder, **variables):
    """The plan of `folder` with these variables; JSON where they are no texts."""
    given = []
    for key, value in variables.items():
        given += ["-var", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    runner = os.environ.get("TERRAFORM_OFFLINE")
    if runner:
        return Plan(name, json.loads(run([runner, "plan-json", str(folder), "--", *given])))
    file = "policy.tfplan"
    run(["terraform", f"-chdir={folder}", "init", "-backend=false", "-input=false"])
    try:
        run(["terraform", f"-chdir={folder}", "plan", "-refresh=false", "-input=false", f"-out={file}", *given])
        return Plan(name, json.loads(run(["terraform", f"-chdir={folder}", "show", "-json", file])))
    finally:
        (Path(folder) / file).unlink(missing_ok=True)


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}:\n{done.stderr or done.stdout}")
    return done.stdout


def listed(value):
    """A policy's one or several."""
    return value if isinstance(value, list) else [value]
