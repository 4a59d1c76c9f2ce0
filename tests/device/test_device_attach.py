"""Attaching, sharing, running out of IPUs, and the errors of PopART as odla_ipu's."""

import gc
import threading
import time

import pytest

from odla_ipu import errors, interpreter
from odla_ipu.device import load_popart, open_device, translate


def ipus_free():
    """How many single IPUs the simulated machine can still give."""
    manager = load_popart("sim").DeviceManager()
    taken = []
    while True:
        info = manager.tryAcquireAvailableDevice(numIpus=1)
        if info is None:
            break
        taken.append(info)
    for info in taken:
        info.detach()
    return len(taken)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of 4 IPUs with none attached."""
    monkeypatch.setenv("ODLA_IPU_SIM_IPUS", "4")
    monkeypatch.delenv("ODLA_IPU_ATTACH_TIMEOUT", raising=False)
    interpreter._executables.clear()  # what other tests compiled holds a device
    gc.collect()
    assert ipus_free() == 4


def test_attached_when_first_acquired_and_shared_until_the_last_release():
    device = open_device("sim", 2)
    assert ipus_free() == 4
    first = device.acquire()
    second = open_device("sim", 2).acquire()
    assert first is second is device.info
    assert first.numIpus == 2 and ipus_free() == 2
    device.release()
    assert first.isAttached
    device.release()
    assert not first.isAttached and ipus_free() == 4


def test_attached_releases_after_an_error():
    device = open_device("sim")
    with pytest.raises(ZeroDivisionError), device.attached():
        1 / 0  # noqa: B018
    assert ipus_free() == 4


def test_use_without_or_beyond_acquiring_is_an_error():
    device = open_device("sim")
    with pytest.raises(errors.InternalError, match="without having been acquired"):
        _ = device.info
    with pytest.raises(errors.InternalError, match="more often"):
        device.release()


def test_acquiring_from_many_threads_attaches_once():
    device = open_device("sim")
    infos, barrier = [], threading.Barrier(8)

    def use():
        barrier.wait()
        infos.append(device.acquire())

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(infos) == 8 and len({id(info) for info in infos}) == 1
    for _ in range(8):
        device.release()
    assert ipus_free() == 4


def test_none_free_is_unavailable_and_leaves_nothing_attached():
    refused = pytest.raises(errors.DeviceUnavailable, match="1 IPU wanted, but none free")
    with open_device("sim", 4).attached(), refused:
        open_device("sim").acquire()
    with open_device("sim").attached():
        pass


def test_waiting_in_vain_is_a_time_out(monkeypatch):
    monkeypatch.setenv("ODLA_IPU_ATTACH_TIMEOUT", "0.3")
    with open_device("sim", 4).attached():
        start = time.monotonic()
        with pytest.raises(errors.DeviceTimeout, match=r"within 0\.3 s") as caught:
            open_device("sim").acquire()
        assert 0.3 <= time.monotonic() - start < 5
    assert caught.value.status is errors.Status.TIMEOUT


def test_waiting_until_another_lets_go(monkeypatch):
    monkeypatch.setenv("ODLA_IPU_ATTACH_TIMEOUT", "30")
    holder = open_device("sim", 4)
    holder.acquire()
    timer = threading.Timer(0.3, holder.release)
    timer.start()
    with open_device("sim").attached() as info:
        assert info.isAttached
    timer.join()


@pytest.mark.parametrize("given", ["soon", "-1", "nan", "inf"])
def test_the_time_out_must_be_a_number(monkeypatch, given):
    monkeypatch.setenv("ODLA_IPU_ATTACH_TIMEOUT", given)
    with pytest.raises(errors.InvalidParameter, match="ODLA_IPU_ATTACH_TIMEOUT"):
        open_device("sim").acquire()


@pytest.mark.parametrize("count", [0, 3, -1, 2.0, "1"])
def test_ipus_come_in_powers_of_two(count):
    with pytest.raises(errors.InvalidParameter, match="powers of two"):
        open_device("sim", count)


def test_more_ipus_than_the_machine_has():
    with pytest.raises(errors.DeviceUnavailable, match="64 IPUs wanted, but this machine has 4"):
        open_device("sim", 64)


@pytest.mark.parametrize("name", ["cpu", "IPU", "", 0])
def test_unknown_names_are_refused(name):
    with pytest.raises(errors.InvalidParameter, match="accepted: ipu, ipu_model, sim, auto"):
        open_device(name)


def test_unknown_default_is_blamed_on_the_environment(monkeypatch):
    monkeypatch.setenv("ODLA_IPU_DEVICE", "gpu")
    with pytest.raises(errors.InvalidParameter, match="ODLA_IPU_DEVICE is 'gpu'"):
        open_device()


# Errors.


def raised(name, text="boom", **attributes):
    """An exception of the simulator's popart, which has PopART's classes."""
    popart = load_popart("sim")
    kind = getattr(popart, name, None) or getattr(popart.session, name)
    error = kind.__new__(kind)
    error.args = (text,)
    for key, value in attributes.items():
        setattr(error, key, value)
    return error


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("popart_exception", "np broadcasting failed", errors.InvalidParameter),
        ("popart_exception", "No class for ai.onnx.Det:11", errors.UnsupportedOp),
        ("popart_exception", "Failed to acquire device with 2 IPUs", errors.DeviceUnavailable),
        ("popart_internal_exception", "boom", errors.InternalError),
        ("popart_runtime_error", "boom", errors.InternalError),
        ("popart_runtime_error", "Failed to attach to device", errors.DeviceTimeout),
        ("OutOfMemoryException", "Out of memory on tile 3", errors.OutOfMemory),
        ("poplibs_exception", "boom", errors.InternalError),
        ("poplar_exception", "Unrecognised option", errors.InternalError),
        ("poplar_exception", "Out of memory: tile 3", errors.OutOfMemory),
        ("poplar_application_runtime_error", "assertion", errors.InternalError),
        ("poplar_unrecoverable_runtime_error", "ECC", errors.UnrecoverableDeviceError),
        ("poplar_unknown_runtime_error", "?", errors.UnrecoverableDeviceError),
    ],
)
def test_exceptions_of_popart_are_translated(name, text, kind):
    result = translate(raised(name, text), "running 'm'")
    assert type(result) is kind
    assert str(result).startswith("running 'm': ") and text in str(result)


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("IPU_RESET", errors.Status.RECOVERABLE_ERR),
        ("LINK_RESET", errors.Status.RECOVERABLE_ERR),
        ("PARTITION_RESET", errors.Status.PARTITION_RESET),
        ("FULL_RESET", errors.Status.FULL_RESET),
    ],
)
def test_recoverable_errors_say_which_reset(action, status):
    recovery = getattr(load_popart("sim").RecoveryAction, action)
    error = raised("poplar_recoverable_runtime_error", recoveryAction=recovery)
    result = translate(error, "running 'm'")
    assert type(result) is errors.RecoverableDeviceError
    assert result.status is status
    assert errors.RecoverableDeviceError.status is errors.Status.RECOVERABLE_ERR


def test_other_exceptions():
    own = errors.BadFile("x")
    assert translate(own, "loading") is own
    assert type(translate(MemoryError(), "compiling")) is errors.OutOfMemory
    result = translate(TypeError("bad call"), "compiling")
    assert type(result) is errors.InternalError
    assert str(result) == "compiling: TypeError: bad call"
