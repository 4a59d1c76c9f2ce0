"""Devices by name and the popart behind them, each case in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SIM_PATH = ROOT / "odla_ipu" / "sim" / "path"

ASK = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:
        {body}
    except Exception as error:
        result = [type(error).__name__, str(error)]
own = [str(w.message) for w in caught if "odla_ipu" in str(w.message)]
print(json.dumps([result, own]))
"""

OPEN = """
        from odla_ipu.device import open_device
        device = open_device({name})
        with device.attached() as info:
            result = [device.kind, device.popart.__name__, info.type.name, info.tilesPerIPU,
                      info.ipuVersion, info.isAttached, device.can_export]
        result.append(info.isAttached)
"""


def child(body, path=None, **environment):
    """Run ``body`` in a fresh interpreter; its ``result`` and odla_ipu's warnings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ODLA_", "PYTHONPATH"))}
    kept["PYTHONPATH"] = os.pathsep.join(map(str, [*([path] if path else []), ROOT]))
    kept.update(environment)
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(body=body.strip())],
        env=kept,
        cwd=str(HERE),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def opened(name, path=None, **environment):
    return child(OPEN.format(name=repr(name)), path, **environment)


@pytest.fixture(scope="module", autouse=True)
def no_sdk():
    import importlib.util

    if importlib.util.find_spec("popart"):
        pytest.skip("this machine has a popart of its own; these tests place others")


def test_sim_is_an_attached_ipu():
    result, warned = opened("sim")
    assert result == ["sim", "odla_ipu.sim", "Ipu", 1472, "ipu2", True, False, False]
    assert warned == []


def test_sim_takes_its_generation_from_the_environment():
    result, _ = opened("sim", ODLA_IPU_SIM_GENERATION="gc2")
    assert result[3:5] == [1216, "ipu1"]


def test_ipu_is_the_sdk_popart():
    result, warned = opened("ipu", HERE / "sdk")
    assert result == ["ipu", "popart", "Ipu", 1472, "ipu2", True, True, False]
    assert warned == []


def test_ipu_model_has_the_tiles_of_a_gc200():
    result, _ = opened("ipu_model", HERE / "sdk")
    assert result[:6] == ["ipu_model", "popart", "IpuModel", 1472, "ipu2", True]


@pytest.mark.parametrize("name", [None, "auto"])
def test_auto_is_ipu_where_there_is_one(name):
    result, warned = opened(name, HERE / "sdk")
    assert result[0] == "ipu"
    assert warned == []


def test_auto_falls_back_to_sim_and_says_so_once():
    body = """
        from odla_ipu.device import open_device
        result = [open_device().kind, open_device("auto").kind, open_device("auto", 2).kind]
"""
    result, warned = child(body)
    assert result == ["sim", "sim", "sim"]
    assert len(warned) == 1
    assert "not installed" in warned[0] and "ODLA_IPU_DEVICE=sim" in warned[0]


def test_environment_sets_the_default_only():
    assert opened(None, ODLA_IPU_DEVICE="sim")[1] == []
    assert opened(None, HERE / "sdk", ODLA_IPU_DEVICE="ipu_model")[0][0] == "ipu_model"
    assert opened("ipu", HERE / "sdk", ODLA_IPU_DEVICE="sim")[0][0] == "ipu"


@pytest.mark.parametrize("name", ["ipu", "ipu_model"])
def test_named_devices_never_fall_back(name):
    result, _ = opened(name)
    assert result[0] == "DeviceUnavailable"
    assert "enable.sh" in result[1]
    assert opened(None, ODLA_IPU_DEVICE=name)[0][0] == "DeviceUnavailable"


def test_the_simulator_under_the_name_popart_is_not_the_sdk():
    result, _ = opened("ipu", SIM_PATH)
    assert result[0] == "DeviceUnavailable"
    assert "simulator" in result[1] and "PYTHONPATH" in result[1]
    assert opened("auto", SIM_PATH)[0][0] == "sim"


def test_a_foreign_popart_is_recognised():
    result, _ = opened("ipu", HERE / "foreign")
    assert result[0] == "DeviceUnavailable"
    assert "not Graphcore's" in result[1] and str(HERE / "foreign") in result[1]


def test_pypis_popart_is_named(tmp_path):
    (tmp_path / "popart").mkdir()
    (tmp_path / "popart" / "__init__.py").write_text("import a_module_that_is_not_there")
    (tmp_path / "popart-0.1.1.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: popart\nVersion: 0.1.1\n"
    (tmp_path / "popart-0.1.1.dist-info" / "METADATA").write_text(metadata)
    result, _ = opened("ipu", tmp_path)
    assert result[0] == "DeviceUnavailable"
    assert "PyPI" in result[1] and "pip uninstall popart" in result[1]


def test_onnx_before_popart_is_explained(tmp_path):
    (tmp_path / "popart").mkdir()
    (tmp_path / "popart" / "__init__.py").write_text("raise ImportError('clash')")
    result, _ = child("import onnx\n" + OPEN.format(name="'ipu'"), tmp_path)
    assert result[0] == "DeviceUnavailable"
    assert "onnx was imported before it" in result[1]


def test_a_broken_sdk_is_quoted(tmp_path):
    (tmp_path / "popart").mkdir()
    (tmp_path / "popart" / "__init__.py").write_text("raise RuntimeError('wrong Python version')")
    result, _ = opened("ipu", tmp_path)
    assert result[0] == "DeviceUnavailable"
    assert "wrong Python version" in result[1]


def test_loading_popart_brings_neither_onnx_nor_an_engine():
    body = """
        import sys
        from odla_ipu.device import load_popart
        load_popart("sim")
        result = sorted({"onnx", "onnxruntime", "cffi"} & set(sys.modules))
"""
    assert child(body)[0] == []


@pytest.mark.parametrize(
    ("flag", "path", "environment", "expected"),
    [
        (True, None, {}, "sim"),
        (True, "sdk", {}, "ipu_model"),
        (False, "sdk", {}, "auto"),
        (False, None, {}, "auto"),
        (True, "sdk", {"ODLA_IPU_DEVICE": "auto"}, "ipu_model"),
        (True, "sdk", {"ODLA_IPU_DEVICE": "ipu"}, "ipu"),
        (False, "sdk", {"ODLA_IPU_DEVICE": "sim"}, "sim"),
    ],
)
def test_use_sim_mode(flag, path, environment, expected):
    body = f"""
        from odla_ipu.device import use_sim_mode
        result = use_sim_mode({flag})
"""
    assert child(body, HERE / path if path else None, **environment)[0] == expected


def test_status_names_every_kind_with_a_reason():
    body = """
        from odla_ipu.device import status
        result = status()
"""
    without, _ = child(body)
    assert [line[:2] for line in without] == [["ipu", False], ["ipu_model", False], ["sim", True]]
    assert "16 IPUs, ipu2, 1472 tiles each" in without[2][2]
    with_sdk, _ = child(body, HERE / "sdk", ODLA_IPU_SIM_IPUS="4")
    assert [line[1] for line in with_sdk] == [True, True, True]
    assert "4 IPUs" in with_sdk[0][2]
    wrong, _ = child(body, ODLA_IPU_SIM_IPUS="3")
    assert wrong[2][1] is False and "power of two" in wrong[2][2]
