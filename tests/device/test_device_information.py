"""What is known of a device, and opening one by its index."""

import subprocess
import sys
import time

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu.device import open_device
from odla_ipu.errors import DeviceUnavailable, InvalidParameter

MIB = 1 << 20


@pytest.fixture
def machine(monkeypatch):
    def describe(generation, ipus):
        monkeypatch.setenv("ODLA_IPU_SIM_GENERATION", generation)
        monkeypatch.setenv("ODLA_IPU_SIM_IPUS", str(ipus))

    return describe


@pytest.mark.parametrize(
    "generation, tiles, tile, limit",
    [("gc2", 1216, 262144, 0), ("gc200", 1472, 638976, 0), ("c600", 1472, 638976, 185)],
)
@pytest.mark.parametrize("count", [1, 2])
def test_the_simulated_machine(machine, generation, tiles, tile, limit, count):
    machine(generation, 4)
    known = open_device("sim", count).information()
    assert known.total_memory == count * tiles * tile
    assert known.count == 4 // count
    assert known.index == 0
    assert generation in known.type and str(tiles) in known.type and known.type.startswith("sim")
    assert known.power_usage == 0.0 and known.power_limit == limit * count
    assert known.sdk_version == "3.4"
    assert known.driver_version == ".".join(odla.__version__.split(".")[:2])
    assert odla.__version__ in known.library_version


def test_uuids_tell_devices_apart_and_stay():
    found = [open_device("sim", 1, index).information().uuid for index in range(4)]
    found.append(open_device("sim", 2, 0).information().uuid)
    assert all(isinstance(one, bytes) and len(one) == 16 for one in found)
    assert len(set(found)) == 5
    script = (
        "from odla_ipu.device import open_device;"
        "print(open_device('sim', 1, 2).information().uuid.hex())"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert other.stdout.strip() == found[2].hex()


def test_an_index_chooses_the_device():
    third = open_device("sim", 1, 3)
    assert open_device("sim", 1, 3) is third
    with third.attached() as info:
        assert list(info.driverIds) == [3]
        assert third.information().index == 3
        with pytest.raises(DeviceUnavailable, match="'sim' number 1: 2 IPUs wanted, but none free"):
            open_device("sim", 2, 1).acquire()
    with open_device("sim", 4, 1).attached() as info:
        assert list(info.driverIds) == [4, 5, 6, 7]


def test_any_free_device_knows_its_index_when_it_is_attached():
    with open_device("sim", 1, 0).attached(), open_device("sim").attached() as info:
        assert open_device("sim").information().index == info.driverIds[0] > 0


@pytest.mark.parametrize("index", [16, -1, "0", 1.0])
def test_an_index_that_no_device_has(index):
    with pytest.raises(InvalidParameter, match="this machine has 16 of 1 IPU: accepted: 0 to 15"):
        open_device("sim", 1, index)


def test_computations_run_where_they_are_told():
    device = open_device("sim", 1, 5)
    with odla.Computation() as c:
        odla.output(odla.relu(odla.argument("x", (2,))), "y")
    with c.compile(device) as exe:
        assert device.is_attached and list(device.info.driverIds) == [5]
        assert exe.run(x=np.ones(2, "f4"))["y"].tolist() == [1, 1]
    assert not device.is_attached


def test_memory_of_loaded_programs():
    device = open_device("sim", 1, 6)
    with odla.Computation() as c:
        x = odla.argument("x", (256, 1024))
        y = odla.relu(odla.gemm(x, np.ones((1024, 1024), "f4")))
        odla.output(odla.reduce_sum(y), "y")
    assert device.information().used_memory == 0
    with c.compile(device) as exe:
        used = device.information().used_memory
        # Weights 4 MiB; x and the product, then the product and its relu: 1 MiB each.
        assert 6 * MIB <= used < 6.2 * MIB
        assert device.information().memory_utilisation == pytest.approx(used / 940572672)
        data = exe.to_bytes()
        with c.compile(device, precision="fp16"):
            assert 9 * MIB <= device.information().used_memory < 9.3 * MIB
    assert device.information().used_memory == 0
    with odla.Executable.from_bytes(data, device):
        assert device.information().used_memory == used
    assert device.information().used_memory == 0


def test_utilisation_is_the_share_of_time():
    device = open_device("sim", 1, 7)
    x = np.ones((700, 700), "f4")
    with odla.Computation() as c:
        odla.output(odla.gemm(odla.argument("x", x.shape), x), "y")
    with c.compile(device) as exe:
        exe.run(x=x)
        bound = exe.bind([x], [np.zeros_like(x)])
        device.information()
        for _ in range(20):
            bound.run()
        busy = device.information().processor_utilisation
        time.sleep(0.2)
        idle = device.information().processor_utilisation
        bound.run()
        time.sleep(0.2)
        part = device.information().processor_utilisation
    assert 0.8 < busy <= 1
    assert idle == 0
    assert 0 < part < 0.8
