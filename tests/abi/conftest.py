"""Fixtures of the tests of the C library."""

import pytest
from case_programs import Programs
from lib_programs import PACKAGE


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def library():
    path = PACKAGE / "abi" / "libodla_ipu.so"
    assert path.exists(), f"{path}: install the package (pip install -e .) to build it"
    return path


@pytest.fixture
def no_folders_left(tmp_path, monkeypatch):
    """Programs leave nothing in the folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield
    assert not list(folder.glob("odla_ipu*"))
