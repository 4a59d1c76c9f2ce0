"""Shared by all tests: the device that the test bodies run on."""

import gc
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))


def pytest_addoption(parser):
    parser.addoption(
        "--device",
        default="sim",
        choices=["sim", "ipu", "ipu_model"],
        help="device that the tests run on",
    )


@pytest.fixture(scope="session")
def device(request):
    return request.config.getoption("--device")


@pytest.fixture(scope="module", autouse=True)
def devices_are_given_back():
    """What a module's interpreted ops compiled holds a device until it is forgotten."""
    yield
    interpreter = sys.modules.get("odla_ipu.interpreter")
    if interpreter is not None:
        interpreter._executables.clear()
    gc.collect()
