"""Real models through the whole stack, against onnxruntime on the original file."""

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from models import cnn, zoo
from PIL import Image, ImageDraw, ImageFont

import odla_ipu as odla
from odla_ipu import ocr
from odla_ipu.cli import main


def with_logits(path, folder):
    """The model with the operand of each final softmax as a further output, and its outputs."""
    model = onnx.load(str(path))
    producers = {name: node for node in model.graph.node for name in node.output}
    added = False
    for output in list(model.graph.output):
        node = producers.get(output.name)
        if node is not None and node.op_type in ("Softmax", "LogSoftmax"):
            kind = onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, None)
            model.graph.output.append(kind)
            added = True
    if not added:
        return str(path)
    target = str(folder / "with_logits.onnx")
    onnx.save(model, target)
    return target


def deviation(got, wanted):
    """max|a-b| / max|b|."""
    if not wanted.size:
        return 0.0
    scale = np.abs(wanted.astype("f8")).max()
    return np.abs(got.astype("f8") - wanted).max() / (scale or 1)


@pytest.mark.parametrize("model", zoo.parameters(zoo.MODELS))
def test_agrees_with_onnxruntime_and_decides_alike(model, tmp_path, device):
    path = with_logits(zoo.fetch(model), tmp_path)
    feeds = model.inputs()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    expected = dict(zip(names, session.run(names, feeds)))
    del session
    with odla.load(path, model.shapes).compile(device=device) as executable:
        got = executable.run(feeds)
    assert list(got) == names
    for name in names:
        assert got[name].shape == expected[name].shape
        assert got[name].dtype == expected[name].dtype
        assert deviation(got[name], expected[name]) <= 1e-4, name
    if model.expected is not None:
        originals = len(onnx.load(str(model.path()), load_external_data=False).graph.output)
        assert model.decide([got[name] for name in names[:originals]]) == model.expected


LINES = [
    "Graphcore IPU 2026",
    "Hello World",
    "0123456789",
    "odla_ipu reads text",
    "PopART builder",
    "ABCDEFGHIJKLM",
    "nopqrstuvwxyz",
    "3.14159 2.71828",
    "One program, all devices",
    "line number ten",
]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_recogniser_reads_lines_without_an_error(precision, device):
    path = zoo.fetch(zoo.by_name("ppocr_rec"))
    pixels = [ocr.preprocess(ocr.render(line), 480) for line in LINES]
    characters = ocr.characters(path)
    computation = odla.load(path, {"x": pixels[0].shape})
    with computation.compile(device=device, precision=precision) as executable:
        outputs = [next(iter(executable.run(x=one).values())) for one in pixels]
    read = [ocr.decode(output, characters)[0] for output in outputs]
    assert [one.replace(" ", "") for one in read] == [line.replace(" ", "") for line in LINES]


def test_resnet50_in_fp16_is_rounded_and_close(tmp_path, device):
    model = zoo.by_name("light_resnet50")
    path = with_logits(zoo.fetch(model), tmp_path)
    computation = odla.load(path, model.shapes)
    logits = list(computation.outputs)[-1]
    results = []
    for precision in ("fp32", "fp16"):
        with computation.compile(device=device, precision=precision) as executable:
            results.append(executable.run(model.inputs())[logits].astype("f8"))
    single, half = results
    assert 1e-4 <= np.linalg.norm(half - single) / np.linalg.norm(single) <= 2e-2


def test_fp16_network_equals_an_oracle_that_rounds_after_each_op(tmp_path, device):
    x = cnn.image()
    onnx.save(cnn.model(), str(tmp_path / "cnn.onnx"))
    computation = odla.load(tmp_path / "cnn.onnx")
    with computation.compile(device=device, precision="fp16") as executable:
        got = executable.run(x=x)["y"].astype("f2")
    wanted = cnn.oracle(x, np.float16).astype("f2")
    apart = np.abs(got.view("i2").astype("i4") - wanted.view("i2").astype("i4"))
    same_sign = np.signbit(got) == np.signbit(wanted)
    assert (apart[same_sign] <= 2).all()
    assert (np.abs(got[~same_sign]) + np.abs(wanted[~same_sign]) <= 2 * 2.0**-24).all()


def test_demo_reads_what_it_draws(device):
    zoo.fetch(zoo.by_name("ppocr_rec"))
    done = CliRunner().invoke(main, ["demo", "--device", device])
    assert done.exit_code == 0, done.output
    assert "read:   Graphcore IPU 2026" in done.output and f"device: {device}" in done.output
    assert {"compile", "run", "decode"} <= {
        line.split("\t")[0] for line in done.output.splitlines()
    }


def test_demo_reads_an_image(tmp_path, device):
    zoo.fetch(zoo.by_name("ppocr_rec"))
    ocr.render("From a file 42").save(str(tmp_path / "line.png"))
    done = CliRunner().invoke(
        main, ["demo", "--device", device, "--image", str(tmp_path / "line.png")]
    )
    assert done.exit_code == 0, done.output
    assert "read:   From a file 42" in done.output


PROSE = """
the model reads each line of this page with two trained networks and compares what was drawn
with what it saw while numbers such as 2026 or 4096 stand between words about tiles memory
exchange compute graph vector kernel session device engine shape value constant stream batch
"""


def page(seed, size):
    """An image of 20 lines of words that were drawn by chance, and the lines."""
    generator = np.random.RandomState(seed)
    lines = [
        " ".join(generator.choice(PROSE.split(), generator.randint(4, 8))).capitalize()
        + generator.choice([".", ",", ""])
        for _ in range(20)
    ]
    image = Image.new("RGB", (960, 1100), "white")
    for index, line in enumerate(lines):
        place = (40, 30 + 52 * index)
        font = ImageFont.load_default(size)
        ImageDraw.Draw(image).text(place, line, fill="black", font=font)
    return image, lines


def edits(one, other):
    """The least number of characters to change, add or leave out (Levenshtein)."""
    before = list(range(len(other) + 1))
    for row, a in enumerate(one, 1):
        now = [row]
        for column, b in enumerate(other, 1):
            now.append(min(now[-1] + 1, before[column] + 1, before[column - 1] + (a != b)))
        before = now
    return before[-1]


@pytest.mark.parametrize("seed, size", [(0, 28), (1, 34)])
def test_a_page_is_read_with_one_wrong_character_in_200(seed, size, tmp_path, device):
    for name in ("ppocr_rec", "ppocr_det"):
        zoo.fetch(zoo.by_name(name))
    image, lines = page(seed, size)
    image.save(str(tmp_path / "page.png"))
    done = CliRunner().invoke(
        main, ["demo", "--device", device, "--image", str(tmp_path / "page.png")]
    )
    assert done.exit_code == 0, done.output
    read = [
        line.split("read:   ")[1] for line in done.output.splitlines() if line.startswith("read:")
    ]
    assert len(read) == 20
    assert edits("\n".join(read), "\n".join(lines)) <= len("\n".join(lines)) / 200
