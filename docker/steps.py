"""The steps of a Dockerfile's target, for docker/check.sh: NUL after each name and each text.

    python3 docker/steps.py FOLDER TARGET

Lists in JSON are written as a shell's words; ENV as one step a variable.  A step that check.sh
cannot do ends this with an error.
"""

import json
import pathlib
import re
import shlex
import sys

STEPS = ("ENV", "USER", "WORKDIR", "COPY", "RUN", "HEALTHCHECK", "ENTRYPOINT", "CMD")


def instructions(text):
    """(name, rest) of each, with continued lines in one."""
    joined = re.sub(r"\\\n", "", "\n".join(x for x in text.split("\n") if not x.startswith("#")))
    for line in filter(str.strip, joined.split("\n")):
        name, rest = line.split(None, 1)
        yield name.upper(), re.sub(r"\s+", " ", rest).strip()


def target_steps(text, target):
    """The instructions after the target's FROM."""
    found, is_inside = [], False
    for name, rest in instructions(text):
        if name == "FROM":
            is_inside = rest.split()[-1] == target
        elif is_inside:
            found.append((name, rest))
    if not found:
        sys.exit(f"no target {target}")
    return found


def plain(name, rest):
    """What check.sh does for an instruction, as (name, text)."""
    if name not in STEPS:
        sys.exit(f"{name} {rest}: no step that is known here")
    if name == "ENV":
        return [(name, one) for one in shlex.split(rest)]
    if name == "HEALTHCHECK":
        rest = rest.split("CMD ", 1)[1]
    if name == "COPY":
        rest = re.sub(r"--chown=\S+ ", "", rest)
    if rest.startswith("["):
        rest = " ".join(shlex.quote(one) for one in json.loads(rest))
    return [(name, rest)]


def main():
    folder, target = sys.argv[1:]
    text = (pathlib.Path(folder) / "Dockerfile").read_text()
    for name, rest in target_steps(text, target):
        for step in plain(name, rest):
            sys.stdout.write("\0".join(step) + "\0")


if __name__ == "__main__":
    main()
