"""Kernels of a user: folders that a program makes known, run in a process of their own."""

import functools
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu.errors import BadFile, FileMissing, OdlaError
from odla_ipu.sim import poplar

DOCUMENT = pathlib.Path(__file__).parents[1] / "docs" / "adding-a-kernel.md"
X = np.linspace(-3, 3, 1001, dtype="f4")


def write(folder, name, compute=None):
    """The documented kernel under another name, with another body where one is given."""
    text = DOCUMENT.read_text()
    codelet, op = re.findall(r"```cpp\n(.*?)```", text, re.S)
    declaration = next(
        one for one in re.findall(r"```python\n(.*?)```", text, re.S) if "class" in one
    )
    if compute:
        codelet = codelet.replace("store(out[i]", f"{compute} store(out[i]")
    folder.mkdir()
    for file, content in (("__init__.py", declaration), ("codelet.cpp", codelet), ("op.cpp", op)):
        content = content.replace('"../include/', "<").replace('.hpp"', ".hpp>")
        content = content.replace("ScaledSoftsign", name).replace("scaled_softsign", folder.name)
        (folder / file).write_text(content)
    return folder


def computed(name, device):
    with odla.Computation() as c:
        x = odla.argument("x", X.shape)
        odla.output(odla.custom_op(name, [x], scale=2.0), "y")
    return c.run(x=X, device=device)["y"]


@pytest.mark.parametrize("trusted", [False, True])
def test_a_folder_becomes_known(tmp_path, device, trusted):
    name = f"UserSoftsign{int(trusted)}"
    (kernel,) = odla.kernel(write(tmp_path / f"user_softsign{int(trusted)}", name), trusted)
    assert kernel.__name__ == name
    assert odla.kernel(tmp_path / f"user_softsign{int(trusted)}") == [kernel]
    np.testing.assert_allclose(computed(name, device), 2 * X / (1 + np.abs(X)), rtol=1e-6)


def test_a_crash_is_an_error_and_the_program_lives(tmp_path, device):
    crash = "if (i == 3) *(volatile int *)nullptr = 1;"
    odla.kernel(write(tmp_path / "user_crash", "UserCrash", crash))
    with pytest.raises(OdlaError, match="UserCrash"):
        computed("UserCrash", device)


def test_an_endless_loop_is_an_error_and_the_program_lives(tmp_path, device, monkeypatch):
    monkeypatch.setattr(poplar, "load_isolated", functools.partial(poplar.load_isolated, seconds=2))
    odla.kernel(write(tmp_path / "user_endless", "UserEndless", "for (volatile int on = 1; on;) ;"))
    with pytest.raises(OdlaError, match="UserEndless.*no result within 2 s"):
        computed("UserEndless", device)


def test_what_does_not_compile_is_an_error(tmp_path, device):
    odla.kernel(write(tmp_path / "user_broken", "UserBroken", "no_such_thing();"))
    with pytest.raises(OdlaError, match="(?s)UserBroken.*user_broken/codelet.cpp.*no_such_thing"):
        computed("UserBroken", device)


def test_a_folder_without_code_is_an_error(tmp_path, device):
    folder = write(tmp_path / "user_hollow", "UserHollow")
    (folder / "op.cpp").unlink()
    (folder / "codelet.cpp").unlink()
    odla.kernel(folder)
    with pytest.raises(OdlaError, match="UserHollow"):
        computed("UserHollow", device)


def test_a_taken_name_is_refused(tmp_path):
    folder = write(tmp_path / "user_twin", "Compress")
    with pytest.raises(BadFile, match="Compress is declared in odla_ipu.kernels.compress already"):
        odla.kernel(folder)


def test_the_environment_names_folders(tmp_path):
    folder = write(tmp_path / "user_named", "UserNamed")
    code = """
import numpy as np, odla_ipu as odla
y = odla.custom_op("UserNamed", [odla.constant(np.float32([1, -3]))], scale=2.0)
print(*np.asarray(y))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ODLA_IPU_KERNEL_PATH": str(folder), "ODLA_IPU_DEVICE": "sim"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose([float(one) for one in done.stdout.split()], [1, -1.5], rtol=1e-6)


def test_what_is_no_kernel_is_refused(tmp_path):
    with pytest.raises(FileMissing, match="declaration"):
        odla.kernel(tmp_path / "nowhere")
    for text, reason in (("1 / 0", "ZeroDivisionError"), ("", "declares no kernel")):
        folder = tmp_path / f"bad{len(text)}"
        folder.mkdir()
        (folder / "__init__.py").write_text(text)
        with pytest.raises(BadFile, match=reason):
            odla.kernel(folder)
