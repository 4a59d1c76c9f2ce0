"""The command ``odla-ipu``."""

import dataclasses
import errno
import functools
import json
import math
import os
import shlex
import sys
import time
import warnings
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import click
import numpy as np

from .container import MAGIC
from .errors import FileMissing, InvalidParameter, OdlaError, Status
from .types import ElementType

DEVICES = ["auto", "sim", "ipu", "ipu_model"]


class _Command(click.Command):
    """Errors of the package end the program with their message and status, without a trace."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except OdlaError as error:
            raise _Failure(error) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader had enough, which click sees to
                raise
            where = "" if error.filename is None else f"{error.filename}: "
            raise click.ClickException(f"{where}{error.strerror or error}") from error


class _Failure(click.ClickException):
    """Ends the program with the number of the ``odla_status``."""

    def __init__(self, error: OdlaError):
        super().__init__(str(error))
        self.status = int(error.status)

    def show(self, file: Any = None) -> None:
        super().show(file)
        sys.exit(self.status)


class _Group(click.Group):
    command_class = _Command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="odla_ipu")
def main() -> None:
    """Run ODLA computations and ONNX models on Graphcore IPUs, or on the simulator."""
    warnings.showwarning = _show_warning


def _show_warning(message: Any, *where: Any, **more: Any) -> None:
    """Warnings without the line of the package that they come from."""
    click.echo(f"Warning: {message}", err=True)


def _options(*options: Callable[..., Any]) -> Callable[..., Any]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


_device = click.option(
    "--device",
    type=click.Choice(DEVICES),
    default=None,
    help="Where to run; the default is ODLA_IPU_DEVICE or auto.",
)
_model_options = _options(
    click.option("--shape", "shapes", multiple=True, help="Input shape: name=1,3,48,320."),
    _device,
    click.option("--precision", type=click.Choice(["fp32", "fp16"]), default="fp32"),
    click.option("--batch", type=int, default=None, help="Replace the batch size."),
)


@main.command()
@click.option("--image", type=click.Path(), default=None, help="An image of a line or a page.")
@click.option("--text", default="Graphcore IPU 2026", help="The line to draw without --image.")
@_device
def demo(image: Optional[str], text: str, device: Optional[str]) -> None:
    """Read the text of an image with a trained OCR model, PP-OCRv4."""
    import odla_ipu

    from . import ocr, pretrained

    stages: List[Tuple[str, float]] = []

    def timed(name: str, function: Callable[[], Any]) -> Any:
        with _progress(name):
            start = time.perf_counter()
            result = function()
            stages.append((name, time.perf_counter() - start))
        return result

    path = timed("fetch the model", lambda: pretrained.path("ppocr_rec"))
    picture = timed("image", lambda: ocr.open_image(image) if image else ocr.render(text))
    pieces = timed("find the lines", lambda: _lines(picture, device)) if image else [picture]
    width = ocr.width_of(pieces)
    pixels = timed("preprocess", lambda: [ocr.preprocess(piece, width) for piece in pieces])
    model = timed("load the ONNX file", lambda: odla_ipu.load(path, {"x": pixels[0].shape}))
    executable = timed("compile", lambda: model.compile(device))
    outputs = timed("run", lambda: [next(iter(executable.run(x=x).values())) for x in pixels])
    classes = ocr.characters(path)
    found = timed("decode", lambda: [ocr.decode(output, classes) for output in outputs])

    _table(["stage", "ms"], [[name, f"{seconds * 1e3:.1f}"] for name, seconds in stages])
    click.echo(f"device: {executable.device}")
    if not image:
        click.echo(f"drawn:  {text}")
    for read, _ in found:
        click.echo(f"read:   {read}")
    click.echo(f"confidence: {sum(sure for _, sure in found) / len(found):.3f}")


def _lines(picture: Any, device: Optional[str]) -> List[Any]:
    """The lines of an image of text; all of it, for its margins, where no two are found."""
    import odla_ipu

    from . import ocr, pretrained

    pixels = ocr.preprocess_page(picture)
    model = odla_ipu.load(pretrained.path("ppocr_det"), {"x": pixels.shape})
    (probabilities,) = model.compile(device).run(x=pixels).values()
    found = ocr.lines(picture, ocr.text_boxes(probabilities, picture.size))
    return found if len(found) > 1 else [picture]


@main.command()
@click.argument("model")
@click.option("--input", "inputs", multiple=True, help="Input data: name=file.npy.")
@_model_options
@click.option("--output", "folder", default=None, help="Folder for the outputs, as .npy files.")
@click.option("--check", is_flag=True, help="Compare with onnxruntime on the same file.")
@click.option(
    "--tolerance",
    type=float,
    default=None,
    help="Largest deviation that --check accepts, relative to an output's largest element; the "
    "default is 1e-4, in fp16 5e-2.",
)
@click.option("--trace", default=None, help="File for the times of ops, for chrome://tracing.")
def run(
    model: str,
    inputs: Sequence[str],
    shapes: Sequence[str],
    device: Optional[str],
    precision: str,
    batch: Optional[int],
    folder: Optional[str],
    check: bool,
    tolerance: Optional[float],
    trace: Optional[str],
) -> None:
    """Run MODEL (an .onnx or .odla file, or the name of a trained model) once.

    Inputs that are not given are filled with reproducible random numbers (integers with 0 and 1).
    Files hold BFLOAT16 as FLOAT32.
    """
    if tolerance is not None and not (check and tolerance >= 0):
        raise InvalidParameter(
            f"--tolerance is {tolerance}; accepted: 0 and more, together with --check"
        )
    given = {name: _load_array(file) for name, file in map(_pair, inputs)}
    executable, path = _executable(model, given, shapes, device, precision, batch)
    feeds = _feeds(executable.arguments, given)
    results = _traced(executable, feeds, trace) if trace else executable.run(feeds)
    _table(
        ["output", "type", "min", "mean", "max"],
        [[name, _describe(array), *_statistics(array)] for name, array in results.items()],
    )
    click.echo(f"device: {executable.device}, {executable.precision}")
    if folder:
        os.makedirs(folder, exist_ok=True)
        for name, array in results.items():
            if executable.outputs[name].element_type is ElementType.BFLOAT16:
                array = array.astype(np.float32)  # numpy reads no BFLOAT16
            np.save(os.path.join(folder, f"{name.replace('/', '_')}.npy"), array)
    if check and not _check(path, feeds, results, executable.precision, tolerance):
        sys.exit(1)


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME|MODEL]...")
@click.option("--suite", default=None, help="aimatrix, layers, gemm, or a folder of AI Matrix.")
@click.option("--quick", is_flag=True, help="One small configuration of each, for seconds.")
@click.option("--shape", "shapes", multiple=True, help="Input shape of a MODEL: name=1,3,48,320.")
@_device
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(["fp32", "fp16"]),
    multiple=True,
    default=("fp32",),
    help="May be given twice.",
)
@click.option(
    "--batch",
    "batches",
    type=int,
    multiple=True,
    help="Batch size, may be given often; the default of a NAME are those of the original.",
)
@click.option("--runs", type=int, default=None, help="Timed runs; the default is 50.")
@click.option("--seconds", type=float, default=None, help="Start no run later; the default is 20.")
@click.option("--results", default=None, help="Folder for records and AI Matrix's files.")
@click.option("--plot", "picture", default=None, help="Draw throughput over batch size: FILE.svg.")
@click.option(
    "--compare", nargs=2, default=None, metavar="A B", help="Compare two files or folders."
)
@click.option("--memory", type=float, default=None, help="GB that may be needed, 16 if not given.")
def bench(
    names: Sequence[str],
    suite: Optional[str],
    quick: bool,
    shapes: Sequence[str],
    device: Optional[str],
    precisions: Sequence[str],
    batches: Sequence[int],
    runs: Optional[int],
    seconds: Optional[float],
    results: Optional[str],
    picture: Optional[str],
    compare: Optional[Tuple[str, str]],
    memory: Optional[float],
) -> None:
    """Measure models and print a JSON record of each with all conditions.

    NAME is an example (resnet50), a table of layers or matrix products (conv) or a row of one
    (conv:17); MODEL an .onnx or .odla file, or a trained model's name.  Latencies are in
    milliseconds; the deviation is the largest from a reference, relative to its largest output.

    A suite keeps its records in the folder of --results and goes on where it was interrupted.
    """
    from .bench import aimatrix, plot, records
    from .bench import suite as suites
    from .bench.measure import Conditions

    if compare is not None:
        _print_comparison(*compare)
        return
    for option, value in (("--runs", runs), ("--seconds", seconds), ("--memory", memory)):
        if value is not None and value <= 0:
            raise InvalidParameter(f"{option} is {value}; accepted: more than 0")
    if suite is not None and results is None:
        results = "odla-ipu-results"
    todo = [task for name in names for task in _tasks(name, shapes, batches, quick)]
    if suite is not None:
        todo += suites.suite(suite, batches, quick)
    if not todo and not (picture and results):
        raise InvalidParameter(
            "nothing to measure: give a name, a file or --suite; suites are "
            f"{', '.join(suites.suites())}"
        )
    if seconds is None:
        seconds = 20.0 if runs is None else math.inf
    made = []
    for precision in precisions if todo else ():
        how = Conditions(
            device,
            precision,
            runs,
            seconds,
            limit=None if memory is None else memory * 1e9,
        )
        if quick:
            how = suites.quickly(how)
        with _progress("measuring") as progress:
            for record in suites.run(todo, how, results, progress.update, suite is not None):
                made.append(record)
                _print_record(record, alone=len(todo) == 1, progress=progress)
    if results is not None and made:
        aimatrix.write(results, records.read(results))
    if picture is not None:
        plot.draw(made or records.read(results or ""), picture)
    if any("error" in one and one["status"] != Status.MEM_ERROR for one in made):
        sys.exit(1)


def _print_record(record: Dict[str, Any], alone: bool, progress: Any) -> None:
    """As JSON; among several and on a terminal, as a line for people."""
    if alone or not sys.stdout.isatty():
        click.echo(json.dumps(record))
    else:
        size = record.get("batch")
        batch = "" if size is None else f" batch {size}"
        what = f"{record['name']}{batch} {record['precision']}: "
        if "error" in record:
            progress.print(what + record["error"])
        else:
            latency = record["latency_ms"]
            progress.print(
                f"{what}{record['throughput_per_second']:g} {record['items']}/s, "
                f"{latency['mean']:g} ms +- {latency['deviation']:g}"
            )


def _print_comparison(first: str, second: str) -> None:
    from .bench import compare, records

    a, b = records.read(first), records.read(second)
    _table(compare.HEADER, compare.rows(a, b))
    for line in compare.differences(a, b):
        click.echo(f"not the same: {line}", err=True)


def _tasks(name: str, shapes: Sequence[str], batches: Sequence[int], quick: bool) -> List[Any]:
    """What to measure under the name of an example, of a table, or of a model."""
    from .bench import suite as suites

    found = suites.tasks(name, batches, quick)
    if found is None:
        return [
            suites.Task(name, batch, functools.partial(_subject, name, shapes, batch))
            for batch in batches or (None,)
        ]
    if shapes:
        raise InvalidParameter(f"--shape belongs to a MODEL; the shapes of {name} are its own")
    return found


def _subject(model: str, shapes: Sequence[str], batch: Optional[int]) -> Any:
    """A file, or a trained model, to measure."""
    from .bench import plain
    from .bench.subject import Reference, Subject, random_feeds

    path = _path(model)
    return Subject(
        name=model,
        kind="model",
        build=lambda: path,
        compile=lambda built, device, precision: _executable(
            model, {}, shapes, device, precision, batch
        )[0],
        feeds=lambda executable: random_feeds(executable.arguments),
        reference=None
        if _is_executable_file(path)
        else lambda built, feeds: Reference("onnxruntime", plain.run_file(path, feeds)),
        batch=batch,
    )


@main.command()
@click.argument("model")
@click.option("-o", "--output", "target", required=True, help="The executable file, .odla.")
@_model_options
def compile(
    model: str,
    target: str,
    shapes: Sequence[str],
    device: Optional[str],
    precision: str,
    batch: Optional[int],
) -> None:
    """Compile MODEL into an executable file for odla-ipu run and Executable.load."""
    executable, _ = _executable(model, {}, shapes, device, precision, batch)
    executable.save(target)
    click.echo(f"{target}: {os.path.getsize(target)} bytes for {executable.device}")


@main.command()
@click.option("--json", "as_json", is_flag=True)
def devices(as_json: bool) -> None:
    """List the devices and why one is unavailable."""
    from . import device

    found = device.status()
    if as_json:
        click.echo(json.dumps([_device_entry(one) for one in found]))
        return
    _table(
        ["device", "available", ""],
        [[one.name, "yes" if one.available else "no", one.reason] for one in found],
    )


def _device_entry(status: Any) -> Dict[str, Any]:
    """A device with all that is known of it."""
    from . import device

    entry: Dict[str, Any] = status._asdict()
    if status.available:
        known = dataclasses.asdict(device.open_device(status.name).information())
        entry["information"] = {**known, "uuid": known["uuid"].hex()}
    return entry


@main.command()
@click.option("--json", "as_json", is_flag=True)
def ops(as_json: bool) -> None:
    """List the ODLA ops and how PopART computes each.

    By one op (direct), by several (composed), by a custom op (kernel), or not at all, since it is
    known when the computation is compiled (constant).
    """
    from .ops.table import rows

    table = rows()
    if as_json:
        click.echo(json.dumps([row._asdict() for row in table]))
        return
    _table(
        ["family", "op", "form", "meaning"],
        [[row.family, row.op, row.form, row.meaning] for row in table],
    )


_FOLDERS = {
    "include": ("include",),
    "libdir": ("abi",),
    "pkgconfig-dir": ("share", "pkgconfig"),
    "cmake-dir": ("share", "cmake", "ODLA_IPU"),
    "popart-path": ("sim", "path"),
}


@main.command()
@click.option("--cflags", is_flag=True, help="What the compiler needs for the C library.")
@click.option("--ldflags", is_flag=True, help="What the linker needs for it.")
@click.option("--include", is_flag=True, help="Folder of the C headers.")
@click.option("--libdir", is_flag=True, help="Folder of libodla_ipu.so.")
@click.option("--pkgconfig-dir", is_flag=True, help="Folder for PKG_CONFIG_PATH.")
@click.option("--cmake-dir", is_flag=True, help="Folder for CMake's ODLA_IPU_DIR.")
@click.option("--popart-path", is_flag=True, help="Folder that makes `import popart` the stand-in.")
def config(**wanted: bool) -> None:
    """Print what builds and PYTHONPATH need, on one line."""
    here = os.path.dirname(os.path.abspath(__file__))
    folders = {name: os.path.join(here, *parts) for name, parts in _FOLDERS.items()}
    include, libdir = shlex.quote(folders["include"]), shlex.quote(folders["libdir"])
    found = {
        "cflags": f"-I{include}",
        "ldflags": f"-L{libdir} -lodla_ipu -Wl,-rpath,{libdir}",
        **folders,
    }
    asked = [text for name, text in found.items() if wanted[name.replace("-", "_")]]
    if not asked:
        raise InvalidParameter(f"nothing asked for; accepted: --{', --'.join(found)}")
    click.echo(" ".join(asked))


# What the commands share.


def _executable(
    model: str,
    given: Mapping[str, np.ndarray],
    shapes: Sequence[str],
    device: Optional[str],
    precision: str,
    batch: Optional[int],
) -> Tuple[Any, str]:
    """The executable of a file or of a trained model's name, and the path of the file."""
    import odla_ipu

    path = _path(model)
    if _is_executable_file(path):
        if shapes or batch is not None or precision != "fp32":
            raise InvalidParameter(
                "an .odla file is compiled: --shape, --batch and --precision belong to "
                "odla-ipu compile"
            )
        return odla_ipu.Executable.load(path, device), path
    fixed: Dict[str, Tuple[int, ...]] = {name: array.shape for name, array in given.items()}
    for name, text in map(_pair, shapes):
        try:
            fixed[name] = tuple(int(dim) for dim in text.split(","))
        except ValueError:
            raise InvalidParameter(
                f"--shape {name}={text}: accepted: sizes with commas, such as {name}=1,3,48,320"
            ) from None
    with _progress(f"compiling {os.path.basename(path)}"):
        computation = odla_ipu.load(path, fixed)
        return computation.compile(device, precision, batch), path


def _traced(executable: Any, feeds: Mapping[str, np.ndarray], path: str) -> Dict[str, np.ndarray]:
    """The outputs of a run, whose times are written to a file."""
    from . import profiler

    executable.run(feeds)  # the first run of an executable is slower than those that follow
    profiler.start(executable.device)
    try:
        return executable.run(feeds)  # type: ignore[no-any-return]
    finally:
        profiler.stop(executable.device).save(path)


def _path(model: str) -> str:
    if os.path.isfile(model):
        return model
    from . import pretrained

    if model in pretrained.names():
        return str(pretrained.path(model))
    raise FileMissing(
        f"{model}: no such file, and no trained model of that name; "
        f"the names are {', '.join(pretrained.names())}"
    )


def _is_executable_file(path: str) -> bool:
    if path.endswith(".odla"):
        return True
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _pair(text: str) -> Tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise InvalidParameter(f"{text!r} is not of the form name=value")
    return name, value


def _load_array(file: str) -> np.ndarray:
    if not os.path.isfile(file):
        raise FileMissing(f"{file}: no such file")
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InvalidParameter(f"{file} is no .npy file of numbers: {error}") from None
    if not isinstance(array, np.ndarray):
        raise InvalidParameter(f"{file} is an archive of arrays; accepted: an .npy file")
    return array


def _feeds(arguments: Mapping[str, Any], given: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Given arrays, and reproducible random numbers for the other arguments."""
    from .bench.subject import random_feeds

    arrays = {
        name: _from_file(given[name], kind.element_type) if name in given else None
        for name, kind in arguments.items()
    }
    return random_feeds(
        arguments, {**given, **{name: array for name, array in arrays.items() if array is not None}}
    )


def _from_file(array: np.ndarray, kind: ElementType) -> np.ndarray:
    """The array for an argument: .npy files have BFLOAT16 as FLOAT32 or as records of 2 bytes."""
    if kind is not ElementType.BFLOAT16:
        return array
    if array.dtype == "V2":
        return array.view(kind.dtype)
    return array.astype(kind.dtype) if array.dtype == np.float32 else array


def _deviations(
    path: str, feeds: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray]
) -> Dict[str, float]:
    """How far each output is from that of onnxruntime on the ONNX file."""
    from .bench import accuracy, plain

    expected = plain.run_file(path, feeds)
    return {name: accuracy.deviation(result, expected[name]) for name, result in results.items()}


def _check(
    path: str,
    feeds: Mapping[str, np.ndarray],
    results: Mapping[str, np.ndarray],
    precision: str,
    tolerance: Optional[float],
) -> bool:
    if _is_executable_file(path):
        raise InvalidParameter(f"--check compares with an ONNX file; {path} is an executable")
    bound = (1e-4 if precision == "fp32" else 5e-2) if tolerance is None else tolerance
    deviations = _deviations(path, feeds, results)
    rows = [
        [name, f"{deviation:.2e}", "ok" if deviation <= bound else "WRONG"]
        for name, deviation in deviations.items()
    ]
    _table(["output", "max|a-b|/max|b|", f"bound {bound:g}"], rows)
    return all(deviation <= bound for deviation in deviations.values())


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype}[{','.join(map(str, array.shape))}]"


def _statistics(array: np.ndarray) -> List[str]:
    if not array.size:
        return ["", "", ""]
    return [f"{float(value):.6g}" for value in (array.min(), array.mean(), array.max())]


def _table(header: List[str], rows: List[List[str]]) -> None:
    """Columns for people: a rich table on a terminal, tab-separated text in a pipe."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*header, box=None)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


class _progress:
    """A spinner with a text while something takes long, on a terminal only."""

    def __init__(self, text: str):
        self.text = text
        self.status: Any = None

    def __enter__(self) -> "_progress":
        if sys.stderr.isatty():
            from rich.console import Console

            self.status = Console(stderr=True).status(self.text)
            self.status.start()
        return self

    def update(self, text: str) -> None:
        """Another text."""
        if self.status is not None:
            self.status.update(text)

    def print(self, line: str) -> None:
        """A line on standard output, above the spinner."""
        if self.status is not None:
            self.status.stop()
        click.echo(line)
        if self.status is not None:
            self.status.start()

    def __exit__(self, *exception: Any) -> None:
        if self.status is not None:
            self.status.stop()


if __name__ == "__main__":
    main()
