"""Devices: what a machine offers, who is attached to what, and options."""

import gc

import pytest

import odla_ipu.sim as popart
from odla_ipu.sim.machine import configurations

ON_DEMAND = popart.DeviceConnectionType.OnDemand


@pytest.fixture
def manager(monkeypatch):
    monkeypatch.delenv("ODLA_IPU_SIM_GENERATION", raising=False)
    monkeypatch.setenv("ODLA_IPU_SIM_IPUS", "4")
    gc.collect()
    yield popart.DeviceManager()
    popart.DeviceManager().setOnDemandAttachTimeout(0)


def test_default_machine(monkeypatch):
    monkeypatch.delenv("ODLA_IPU_SIM_GENERATION", raising=False)
    monkeypatch.delenv("ODLA_IPU_SIM_IPUS", raising=False)
    devices = popart.DeviceManager().enumerateDevices()
    assert len(devices) == 16
    assert {device.tilesPerIPU for device in devices} == {1472}


@pytest.mark.parametrize(
    ("generation", "tiles", "version"),
    [
        ("gc2", 1216, "ipu1"),
        ("gc200", 1472, "ipu2"),
        ("bow", 1472, "ipu2"),
        ("c600", 1472, "ipu21"),
    ],
)
def test_generations(monkeypatch, manager, generation, tiles, version):
    monkeypatch.setenv("ODLA_IPU_SIM_GENERATION", generation)
    with manager.acquireAvailableDevice(1) as device:
        assert (device.tilesPerIPU, device.tilesPerIpu) == (tiles, tiles)
        assert device.ipuVersion == device.version == version
        assert device.numWorkerContexts == 6
        assert device.type is popart.DeviceType.Ipu


@pytest.mark.parametrize("count", ["3", "0", "-2", "many", ""])
def test_machine_sizes_that_do_not_exist(monkeypatch, manager, count):
    monkeypatch.setenv("ODLA_IPU_SIM_IPUS", count)
    with pytest.raises(popart.popart_exception, match="ODLA_IPU_SIM_IPUS"):
        manager.acquireAvailableDevice(1)


def test_unknown_generation(monkeypatch, manager):
    monkeypatch.setenv("ODLA_IPU_SIM_GENERATION", "gc9")
    with pytest.raises(popart.popart_exception, match="gc2, gc200, bow, c600"):
        manager.enumerateDevices()


def test_configurations_number_single_ipus_first():
    ids = [list(ipus) for ipus in configurations(4)]
    assert ids == [[0], [1], [2], [3], [0, 1], [2, 3], [0, 1, 2, 3]]


def test_ipus_are_given_out_once(manager):
    pair = manager.acquireAvailableDevice(2)
    others = [manager.acquireAvailableDevice(1) for _ in range(2)]
    assert sorted(pair.driverIds + others[0].driverIds + others[1].driverIds) == [0, 1, 2, 3]
    assert manager.tryAcquireAvailableDevice(1) is None
    with pytest.raises(popart.popart_exception, match="Failed to acquire device with 1 IPUs"):
        manager.acquireAvailableDevice(1)
    others[0].detach()
    again = manager.acquireAvailableDevice(1)
    assert again.driverIds == others[0].driverIds
    assert not others[0].attach()
    assert not others[0].isAttached and again.isAttached


def test_a_device_out_of_scope_is_free(manager):
    for _ in range(3):
        assert manager.acquireAvailableDevice(4).isAttached


def test_context_manager_detaches(manager):
    with manager.acquireAvailableDevice(4) as device:
        assert device.isAttached
        device._loaded_session = object()
    assert not device.isAttached
    assert device._loaded_session is None
    assert manager.acquireAvailableDevice(4).isAttached


def test_detach_and_attach_twice(manager):
    device = manager.acquireAvailableDevice(1)
    assert device.attach()
    device.detach()
    device.detach()
    assert device.attach() and device.isAttached


@pytest.mark.parametrize("count", [0, 3, 6, -1])
def test_number_of_ipus_is_a_power_of_two(manager, count):
    for acquire in (manager.acquireAvailableDevice, manager.tryAcquireAvailableDevice):
        with pytest.raises(popart.popart_exception, match="power of two"):
            acquire(count)


def test_more_ipus_than_the_machine_has(manager):
    assert manager.tryAcquireAvailableDevice(8) is None
    with pytest.raises(popart.popart_exception, match="Failed to acquire device with 8 IPUs"):
        manager.acquireAvailableDevice(8)


def test_tiles_must_match(manager):
    assert manager.acquireAvailableDevice(1, tilesPerIpu=1472).tilesPerIPU == 1472
    assert manager.tryAcquireAvailableDevice(1, tilesPerIpu=1216) is None
    assert manager.enumerateDevices(tilesPerIPU=1216) == []


def test_connection_never_is_for_offline_devices(manager):
    with pytest.raises(popart.popart_exception, match="createOfflineIPUDevice"):
        manager.acquireAvailableDevice(1, connectionType=popart.DeviceConnectionType.Never)


def test_on_demand_attaches_for_the_engine(manager):
    first = manager.acquireAvailableDevice(4, connectionType=ON_DEMAND)
    second = manager.acquireAvailableDevice(4, connectionType=ON_DEMAND)
    assert not first.isAttached and not second.isAttached
    first._require_attached()
    assert first.isAttached
    with pytest.raises(popart.popart_runtime_error, match="Failed to attach to device"):
        second._require_attached()
    first.detach()
    second._require_attached()
    assert second.isAttached


def test_detached_device_cannot_load(manager):
    device = manager.acquireAvailableDevice(1)
    device.detach()
    with pytest.raises(popart.popart_runtime_error, match="not attached"):
        device._require_attached()


def test_attach_timeout(manager):
    holder = manager.acquireAvailableDevice(4)
    manager.setOnDemandAttachTimeout(0.05)
    waiting = manager.enumerateDevices(numIpus=4, connectionType=ON_DEMAND)[0]
    assert not waiting.tryAttachUntilTimeout()
    holder.detach()
    assert waiting.tryAttachUntilTimeout()
    with pytest.raises(popart.popart_exception, match="negative"):
        manager.setOnDemandAttachTimeout(-1)


def test_acquire_by_id(manager):
    pair = manager.acquireDeviceById(5)
    assert (pair.id, pair.numIpus, pair.driverIds) == (5, 2, [2, 3])
    assert manager.tryAcquireDeviceById(6) is None
    assert manager.tryAcquireDeviceById(7) is None
    with pytest.raises(popart.popart_exception, match="id 2"):
        manager.acquireDeviceById(2)


def test_enumerate(manager):
    assert [device.id for device in manager.enumerateDevices(numIpus=2)] == [4, 5]
    assert manager.enumerateDevices(numIpus=3) == []
    assert not any(device.isAttached for device in manager.enumerateDevices())


def test_random_choice_takes_a_free_device(manager):
    kept = [
        manager.acquireAvailableDevice(1, selectionCriterion=popart.DeviceSelectionCriterion.Random)
        for _ in range(4)
    ]
    assert sorted(device.driverIds[0] for device in kept) == [0, 1, 2, 3]


def test_cpu_and_model_devices_need_no_machine(manager):
    held = manager.acquireAvailableDevice(4)
    cpu = manager.createCpuDevice()
    model = manager.createIpuModelDevice({"numIPUs": 2})
    assert held.isAttached and cpu.isAttached and model.isAttached
    assert (str(cpu.type), cpu.numIpus) == ("cpu", 1)
    assert (str(model.type), model.numIpus, model.tilesPerIPU) == ("ipu-model", 2, 4)


def test_model_options(manager):
    options = {"numIPUs": "2", "tilesPerIPU": 8, "compileIPUCode": False, "ipuVersion": "ipu1"}
    device = manager.createIpuModelDevice(options)
    assert (device.numIpus, device.tilesPerIPU, device.ipuVersion) == (2, 8, "ipu1")
    for wrong in (
        {"numIpus": 1},
        {"numIPUs": 0},
        {"numIPUs": "two"},
        {"compileIPUCode": "maybe"},
        {"ipuVersion": "ipu3"},
        {"ipuVersion": "ipu:model.txt"},
    ):
        key = next(iter(wrong))
        with pytest.raises(popart.popart_exception, match=f"{key}|ipu3"):
            manager.createIpuModelDevice(wrong)
    with pytest.raises(popart.popart_exception, match="Invalid option"):
        manager.createSimDevice({"ipuVersion": "ipu2"})
    with pytest.raises(TypeError):
        manager.createIpuModelDevice(None)


def test_offline_devices_never_run(manager):
    device = manager.createOfflineIPUDevice({"numIPUs": 4, "ipuVersion": "ipu21"})
    copy = manager.createOfflineIpuFromDeviceInfo(manager.createIpuModelDevice({"numIPUs": 2}))
    assert (device.numIpus, device.tilesPerIPU, device.ipuVersion) == (4, 1472, "ipu21")
    assert (copy.type, copy.numIpus) == (popart.DeviceType.OfflineIpu, 2)
    assert device.connectionType is popart.DeviceConnectionType.Never
    assert not device.attach()
    with pytest.raises(popart.popart_exception, match="only compiles"):
        device._require_attached()
    with pytest.raises(popart.popart_exception, match="Invalid option"):
        manager.createOfflineIPUDevice({"tiles": 4})
    assert manager.createOfflineIpuFromSystemString("ipu2", 2).numIpus == 2


def test_devices_are_read_only_and_not_constructed(manager):
    device = manager.createCpuDevice()
    with pytest.raises(AttributeError):
        device.numIpus = 2
    with pytest.raises(TypeError):
        popart.DeviceInfo()


def test_sync_patterns():
    for member in popart.SyncPattern:
        text = popart.syncPatternToString(member)
        assert popart.syncPatternFromString(text) is member
    with pytest.raises(popart.popart_exception, match="singlePipeline"):
        popart.syncPatternFromString("ring")
