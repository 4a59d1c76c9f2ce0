"""The container of executable files: what is written comes back, and damage is recognised."""

import os

import pytest

from odla_ipu import container
from odla_ipu.errors import BadFile, FileMissing, InvalidParameter, OdlaError, Status


@pytest.fixture
def path(tmp_path):
    weights = tmp_path / "weights"
    weights.write_bytes(bytes(range(256)) * 40)
    sections = {"model": b"abc", "empty": b"", "weights": container.FileContent(str(weights))}
    container.write(str(tmp_path / "a.odla"), {"name": "net"}, sections)
    return str(tmp_path / "a.odla")


def test_round_trip(path):
    header, sections = container.read(path)
    assert header == {"name": "net"}
    assert container.content(path, sections["model"]) == b"abc"
    assert container.content(path, sections["empty"]) == b""
    assert container.content(path, sections["weights"]) == bytes(range(256)) * 40
    assert all(section.offset % 4096 == 0 for section in sections.values())


def test_copy_is_equal(path, tmp_path):
    container.copy(path, container.stamp(path), str(tmp_path / "b.odla"))
    assert container.read(str(tmp_path / "b.odla")) == container.read(path)


def test_a_copy_onto_itself_changes_nothing(path):
    before = container.stamp(path)
    container.copy(path, before, path)
    assert container.stamp(path) == before


def test_what_took_the_name_of_a_file_is_not_copied(path, tmp_path):
    before = container.stamp(path)
    container.write(path, {"name": "other"}, {})
    with pytest.raises(BadFile, match="has changed since it was loaded; load it again"):
        container.copy(path, before, str(tmp_path / "b.odla"))
    os.unlink(path)
    with pytest.raises(FileMissing, match="no such file"):
        container.copy(path, before, str(tmp_path / "b.odla"))


def test_special_files_are_left_alone(tmp_path):
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    for target in (pipe, str(tmp_path), ""):
        with pytest.raises(InvalidParameter, match="that is a folder, a device or no name"):
            container.write(target, {}, {})
        if target:
            with pytest.raises(BadFile, match="is a folder or a device"):
                container.read(target)
    assert os.listdir(str(tmp_path)) == ["pipe"] and not os.path.isfile(pipe)


def test_names_that_the_file_system_refuses(tmp_path):
    with pytest.raises(OdlaError, match="cannot write .*: File name too long"):
        container.write(str(tmp_path / ("n" * 300)), {}, {})
    assert not os.listdir(str(tmp_path))


def test_missing_file(tmp_path):
    with pytest.raises(FileMissing, match=r"none\.odla: no such file") as caught:
        container.read(str(tmp_path / "none.odla"))
    assert caught.value.status is Status.FILE_NOT_EXIST


def test_missing_folder(tmp_path):
    with pytest.raises(FileMissing, match="folder .* does not exist"):
        container.write(str(tmp_path / "no" / "a.odla"), {}, {})


def test_foreign_file(tmp_path):
    foreign = tmp_path / "model.onnx"
    foreign.write_bytes(b"\x08\x08 onnx bytes")
    with pytest.raises(BadFile, match="is not of odla_ipu"):
        container.read(str(foreign))


def test_newer_file(path):
    with open(path, "r+b") as file:
        file.seek(8)
        file.write(b"\x07\x00\x00\x00")
    with pytest.raises(BadFile, match="format version 7; this odla_ipu reads up to 1"):
        container.read(path)


@pytest.mark.parametrize("kept", [10, 60, 5000, 10000])
def test_truncated_file(path, kept):
    with open(path, "r+b") as file:
        file.truncate(kept)
    with pytest.raises(BadFile, match=f"is truncated: {kept} bytes of at least"):
        container.read(path)


@pytest.mark.parametrize("place, what", [(40, "header"), (4096, "'model'"), (13000, "'weights'")])
def test_tampered_file(path, place, what):
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(BadFile, match=f"is damaged: the .*{what}.* does not match its hash"):
        container.read(path)


def test_nothing_is_left_of_a_failed_write(tmp_path):
    with pytest.raises(FileNotFoundError):
        missing = container.FileContent(str(tmp_path / "missing"))
        container.write(str(tmp_path / "a.odla"), {}, {"weights": missing})
    assert not list(tmp_path.iterdir())
