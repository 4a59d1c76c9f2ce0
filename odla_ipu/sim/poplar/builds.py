"""Compiles custom ops and codelets with the host's compiler.

What is built is kept by the hash of its sources, headers, flags and compiler in the folder
``poplar`` of the cache (``ODLA_IPU_CACHE``, ``$XDG_CACHE_HOME/odla_ipu`` or ``~/.cache/odla_ipu``).
Several processes may build at once: each builds into a file of its own and renames it.  A folder
``prebuilt`` beside this file, as installed packages have it, is looked into first.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

from . import scan

AnyPath = Union[str, "os.PathLike[str]"]

HERE = Path(__file__).resolve().parent
INCLUDE = HERE / "include"
RUNTIME = HERE / "runtime"
PREBUILT = HERE / "prebuilt"
RUNTIME_NAME = "libodla_poplar.so"
_MANIFEST = "manifest.json"

_COMMON = ["-std=c++17", "-fPIC", "-g0", "-Wno-attributes", "-DONNX_NAMESPACE=onnx"]
_CODELET = ["-O3", "-fno-access-control", "-ffp-contract=off", "-fno-math-errno"]
_CODELET += ["-fno-trapping-math", "-fvisibility=hidden"]  # a name is another's in another library
_OP = ["-O1"]
_WIDE = ["-mavx2", "-mf16c", "-mfma", "-mbmi2"]
_SOURCES = (".cpp", ".cc", ".cxx", ".hpp", ".h", ".inc")
_SECONDS = 600


class BuildError(RuntimeError):
    """A source that does not compile, or no compiler."""


class Unit(NamedTuple):
    """A shared object to be made: the kernel's name, its files, folders of headers, flags."""

    name: str
    codelets: Tuple[Path, ...]
    ops: Tuple[Path, ...]
    includes: Tuple[Path, ...] = ()
    flags: Tuple[str, ...] = ()
    debug: bool = False


def unit(
    sources: Union[AnyPath, Iterable[AnyPath]],
    name: Optional[str] = None,
    includes: Sequence[AnyPath] = (),
    flags: Sequence[str] = (),
    debug: bool = False,
) -> Unit:
    """The files of a kernel folder, or given files, told apart by name and what they include.

    Raises BuildError for a file that is missing and where there is no C++ file.
    """
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    paths: List[Path] = []
    for one in given:
        path = Path(os.fspath(one)).absolute()
        paths += sorted(path.glob("*.cpp")) if path.is_dir() else [path]
    label = name or (paths[0].parent.name if paths else ", ".join(map(str, given)))
    codelets: List[Path] = []
    ops: List[Path] = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise BuildError(f"kernel {label}: cannot read {path}: {error}") from None
        (codelets if _is_codelet(path, text) else ops).append(path)
    if not paths:
        raise BuildError(f"kernel {label}: there is no .cpp file in {', '.join(map(str, given))}")
    places = tuple(Path(os.fspath(one)).absolute() for one in includes)
    return Unit(label, tuple(codelets), tuple(ops), places, tuple(flags), debug)


def _is_codelet(path: Path, text: str) -> bool:
    """Whether a file holds vertices: it is called so, or includes their header and not PopART's."""
    return "codelet" in path.stem or (
        bool(re.search(r'#\s*include\s*[<"]poplar/Vertex\.hpp', text))
        and not re.search(r'#\s*include\s*[<"]popart/', text)
    )


def build(wanted: Unit) -> Path:
    """The shared object of ``wanted``, made unless it is there.

    Raises BuildError, naming the kernel, for a source that does not compile, and when nothing is
    there and there is no compiler.
    """
    key = _key(wanted)
    ready = _prebuilt(wanted.name, key)
    if ready:
        return ready
    compiler = _compiler(wanted.name)
    folder = cache_folder()
    name = digest([key, _sha256(Path(scan.__file__)), compiler.identity])
    target = folder / f"{_file_name(wanted)}-{name}.so"
    if not target.exists():
        base = runtime()
        with tempfile.TemporaryDirectory(dir=str(_made(folder))) as temporary:
            made = _compile(
                wanted, compiler, Path(temporary), base.parent, str(base.parent), folder / "objects"
            )
            os.replace(str(made), str(target))
    return target


def runtime() -> Path:
    """The runtime library, made unless it is there; raises BuildError as :func:`build` does."""
    key = _runtime_key()
    ready = _prebuilt("runtime", key)
    if ready:
        return ready
    compiler = _compiler("the host Poplar")
    folder = cache_folder() / f"runtime-{digest([key, compiler.identity])}"
    if not (folder / RUNTIME_NAME).exists():
        with tempfile.TemporaryDirectory(dir=str(_made(cache_folder()))) as temporary:
            made = Path(temporary) / "runtime"
            made.mkdir()
            _compile_runtime(compiler, made)
            try:
                os.rename(str(made), str(folder))
            except OSError:  # another process was first
                if not (folder / RUNTIME_NAME).exists():
                    raise
    return folder / RUNTIME_NAME


def kernel_folders(kernels: Optional[AnyPath] = None) -> List[Path]:
    """The folders below ``kernels`` (by default this package's own) that have an op."""
    root = Path(os.fspath(kernels)).absolute() if kernels is not None else own_kernels()
    return sorted(path.parent for path in root.glob("*/op.cpp"))


def kernel_unit(folder: AnyPath, debug: bool = False) -> Unit:
    """One of this package's kernels, which share headers in ``include`` beside them."""
    path = Path(os.fspath(folder)).absolute()
    return unit(path, path.name, [path.parent / "include"], (), debug)


def own_kernels() -> Path:
    """The folder of this package's kernels."""
    package = HERE.parents[1]
    installed = package / "kernels"
    return installed if installed.is_dir() else package.parent / "kernels"


def build_all(target: AnyPath, kernels: Optional[AnyPath] = None) -> List[str]:
    """Make the runtime and the kernels below ``kernels`` in the folder ``target``.

    ``target`` is to be installed as ``prebuilt`` beside this file.  Returns the kernels' names;
    raises BuildError as :func:`build` does.  This module imports nothing but the standard library,
    so that setup.py can call it before anything is installed.
    """
    units = [kernel_unit(folder) for folder in kernel_folders(kernels)]
    folder = Path(os.fspath(target)).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    compiler = _compiler("the host Poplar")
    _compile_runtime(compiler, folder)
    manifest: Dict[str, Dict[str, str]] = {"runtime": {"key": _runtime_key(), "file": RUNTIME_NAME}}

    def make(wanted: Unit) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            made = _compile(wanted, compiler, place, folder, "$ORIGIN", place)
            shutil.move(str(made), str(folder / f"{_file_name(wanted)}.so"))
        manifest[wanted.name] = {"key": _key(wanted), "file": f"{_file_name(wanted)}.so"}

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(make, units))
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
    _manifest.cache_clear()
    return [one.name for one in units]


def cache_folder() -> Path:
    """Where built objects are kept; the folder may not exist yet."""
    given = os.environ.get("ODLA_IPU_CACHE")
    if given:
        base = Path(given).expanduser().absolute()
    else:
        home = os.environ.get("XDG_CACHE_HOME")
        base = (Path(home) if home else Path.home() / ".cache") / "odla_ipu"
    return base / "poplar"


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=str(folder)).close()
    except OSError as error:
        raise BuildError(
            f"cannot write the cache folder {folder} ({error}); set ODLA_IPU_CACHE to a folder "
            "that can be written"
        ) from error
    return folder


# What a built object depends on.


def digest(parts: Iterable[str]) -> str:
    """A short name for these texts together."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def _files(folder: Path, deep: bool = False) -> List[Path]:
    found = folder.rglob("*") if deep else folder.glob("*")
    return sorted(path for path in found if path.suffix in _SOURCES and path.is_file())


def _contents(paths: Iterable[Path], root: Path) -> List[str]:
    parts = []
    for path in paths:
        parts += [os.path.relpath(str(path), str(root)), _sha256(path)]
    return parts


def _included(sources: Iterable[Path]) -> Set[Path]:
    """The files that these include by a path from their own folder, and so on."""
    found: Set[Path] = set()
    left = list(sources)
    while left:
        path = left.pop()
        text = path.read_text(encoding="utf-8", errors="replace")
        for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.MULTILINE):
            file = Path(os.path.normpath(str(path.parent / name)))
            if file.is_file() and file not in found:
                found.add(file)
                left.append(file)
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@functools.lru_cache(maxsize=None)
def _include_key() -> str:
    return digest(_contents(_files(INCLUDE, deep=True), INCLUDE))


@functools.lru_cache(maxsize=None)
def _runtime_key() -> str:
    return digest([_include_key(), *_contents(_files(RUNTIME), RUNTIME), *_machine_flags()])


def _key(wanted: Unit) -> str:
    """The hash of the kernel's files, of headers beside them and included, and of the flags."""
    sources = [*wanted.codelets, *wanted.ops]
    root = sources[0].parent
    folders = {path.parent for path in sources}
    nearby = {path for folder in folders for path in _files(folder)} | set(sources)
    nearby |= {path for folder in wanted.includes for path in _files(folder, deep=True)}
    nearby |= _included(sources)
    flags = [*_COMMON, *_CODELET, *_OP, *_machine_flags(), *wanted.flags, str(wanted.debug)]
    # A test's or a caller's folder has any name; within it names count.
    parts = _contents(sorted(nearby), root)
    return digest([_include_key(), wanted.name, *parts, *flags])


def _file_name(wanted: Unit) -> str:
    return re.sub(r"\W+", "_", wanted.name) + ("-debug" if wanted.debug else "")


@functools.lru_cache(maxsize=None)
def _manifest() -> Dict[str, Dict[str, str]]:
    try:
        found: Dict[str, Dict[str, str]] = json.loads((PREBUILT / _MANIFEST).read_text())
    except (OSError, ValueError):
        return {}
    return found


def _prebuilt(name: str, key: str) -> Optional[Path]:
    entry = _manifest().get(name)
    if entry is None or entry["key"] != key:
        return None
    path = PREBUILT / entry["file"]
    return path if path.exists() else None


@functools.lru_cache(maxsize=None)
def _machine_flags() -> Tuple[str, ...]:
    """Flags for the vector unit that this machine has."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return ()
    try:
        has = set(re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)[1].split())  # type: ignore[index]
    except (OSError, TypeError):
        return ()
    return tuple(_WIDE) if {flag[2:] for flag in _WIDE} <= has else ()


# The compiler.


class _Compiler(NamedTuple):
    path: str
    identity: str


def _compiler(kernel: str) -> _Compiler:
    """The C++ compiler: ``CXX``, or g++, c++ or clang++; raises BuildError without one."""
    wanted = os.environ.get("CXX")
    for name in [wanted] if wanted else ["g++", "c++", "clang++"]:
        path = shutil.which(name, path=_search_path())
        if path:
            found = os.stat(path)
            return _Compiler(path, f"{path} {found.st_size} {found.st_mtime_ns}")
    raise BuildError(
        f"kernel {kernel} has to be compiled, and there is no C++ compiler"
        + (f": CXX is {wanted!r}" if wanted else "")
        + "; install g++ (Debian, Ubuntu: apt-get install g++) or name a compiler in CXX"
    )


def _search_path() -> str:
    """Where programs are: a C program may run with an empty PATH."""
    return os.pathsep.join(filter(None, [os.environ.get("PATH"), os.defpath]))


def _run(command: List[str], kernel: str, what: str) -> str:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PATH": _search_path()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"kernel {kernel}: {what}: {error}") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        errors = [line for line in lines if "error" in line or "undefined" in line] or lines
        raise BuildError(f"kernel {kernel}: {what} does not compile:\n" + "\n".join(errors[:12]))
    return done.stdout


def _compile(
    wanted: Unit, compiler: _Compiler, folder: Path, libraries: Path, rpath: str, kept: Path
) -> Path:
    """Make a library in ``folder``; objects of ops stay in ``kept``."""
    common = [compiler.path, *_COMMON, *_machine_flags(), "-isystem", str(INCLUDE)]
    common += [f"-I{include}" for include in wanted.includes] + list(wanted.flags)
    checked = ["-O1", "-DODLA_POPLAR_DEBUG"]
    objects = []
    for number, path in enumerate(wanted.codelets):
        preprocessed = _run([*common, "-E", str(path)], wanted.name, str(path))
        source = folder / f"companion{number}.cpp"
        source.write_text(scan.companion(str(path), scan.scan(preprocessed)), encoding="utf-8")
        flags = [*_CODELET, *(checked if wanted.debug else [])]
        objects.append(folder / f"codelet{number}.o")
        command = [*common, *flags, "-c", str(source), "-o", str(objects[-1])]
        _run(command, wanted.name, str(path))
    objects += [_op_object(wanted, compiler, folder, common, path, kept) for path in wanted.ops]
    target = folder / "kernel.so"
    command = [compiler.path, "-shared", *map(str, objects), "-o", str(target), f"-L{libraries}"]
    command += [f"-Wl,-rpath,{rpath}", "-Wl,-z,now", "-l:" + RUNTIME_NAME, "-lm"]
    _run(command, wanted.name, "linking")
    return target


def _op_object(
    wanted: Unit, compiler: _Compiler, folder: Path, common: List[str], path: Path, kept: Path
) -> Path:
    """The object of an op, which is the same with and without checks."""
    key = digest([_key(wanted._replace(debug=False)), compiler.identity, path.name])
    target = kept / f"{key}.o"
    if not target.exists():
        made = folder / f"{key}-new.o"
        _run([*common, *_OP, "-c", str(path), "-o", str(made)], wanted.name, str(path))
        os.replace(str(made), str(_made(kept) / target.name))
    return target


def _compile_runtime(compiler: _Compiler, folder: Path) -> None:
    """The library, and linker scripts that let it stand for the SDK's libraries."""
    sources = [path for path in _files(RUNTIME) if path.suffix == ".cpp"]
    common = [compiler.path, *_COMMON, "-O3", *_machine_flags(), "-I", str(INCLUDE)]
    common += ["-Wno-init-list-lifetime"] if "clang" not in compiler.path else []
    with tempfile.TemporaryDirectory() as temporary:
        objects = [str(Path(temporary) / f"{path.stem}.o") for path in sources]

        def compile(pair: Tuple[Path, str]) -> None:
            command = [*common, "-c", str(pair[0]), "-o", pair[1]]
            _run(command, "the host Poplar", pair[0].name)

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(compile, zip(sources, objects)))
        command = [compiler.path, "-shared", *objects, "-o", str(folder / RUNTIME_NAME)]
        command += [f"-Wl,-soname,{RUNTIME_NAME}", "-ldl", "-lm", "-lpthread"]
        _run(command, "the host Poplar", "linking")
    for name in ("popart", "poplar", "poputil", "popops", "popnn"):
        (folder / f"lib{name}.so").write_text(f"INPUT({RUNTIME_NAME})\n")
