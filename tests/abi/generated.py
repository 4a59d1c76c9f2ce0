"""Programs as a model compiler generates them, with the same model in ONNX to compare with.

A source file holds the graph as calls in the order of the model, one ``<name>_helper``, an
idempotent ``<name>_init``, the entry ``<name>``, and ``<name>_fini``; weights are arrays of another
object file.  C99 has compound literals, C++ braces.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FIRST, OIS = "ODLA_CHANNELS_FIRST", "ODLA_OIS"


class Model:
    """A graph of FLOAT32 values; a value is its id, ``shapes`` has what it is.

    ``batch`` -1 makes dimension 0 dynamic: from 1 to ``most``.
    """

    def __init__(self, name, language="c", batch=None, most=16, items=True, seed=0):
        self.name = name
        self.is_c = language == "c"
        self.batch = batch
        self.most = most
        self.items = items
        self.random = np.random.RandomState(seed)
        self.arguments, self.outputs, self.weights = [], [], {}
        self.calls, self.nodes, self.shapes = [], [], {}

    # Text.

    def shape(self, dims):
        dims = [self.open(dims), *dims[1:]] if dims else []
        return self.literal("odla_value_shape", f".size = {len(dims)}, .dims = {_braces(dims)}")

    def open(self, dims):
        return -1 if self.batch == -1 and dims[0] is None else dims[0]

    def type(self, dims, kind="ODLA_FLOAT32"):
        dims = [self.open(dims), *dims[1:]] if dims else []
        shape = f".shape = {{.size = {len(dims)}, .dims = {_braces(dims)}}}"
        return self.literal("odla_value_type", f".element_type = {kind}, {shape}")

    def literal(self, kind, members):
        return f"({kind}){{{members}}}" if self.is_c else f"{kind}{{{members}}}"

    def numbers(self, *numbers):
        if self.is_c:
            return f"(const odla_uint32[]){_braces(numbers)}"
        name = f"numbers_{len(self.calls)}_{len(self.nodes)}_{self.random.randint(1 << 30)}"
        self.calls.append(f"const odla_uint32 {name}[] = {_braces(numbers)};")
        return name

    def id(self, name):
        return f'(const odla_value_id)("{name}")'

    # Values.

    def argument(self, name, dims):
        self.arguments.append((name, dims))
        self.shapes[name] = dims
        return name

    def constant(self, name, array):
        self.weights[name + "_"] = np.ascontiguousarray(array)
        return name + "_"

    def value(self, name):
        return "v_" + "".join(c if c.isalnum() else "_" for c in name)

    def add(self, name, call, dims, kind, inputs, **attributes):
        """The value ``name`` of a call and of an ONNX node."""
        self.calls.append(f"odla_value {self.value(name)} = {call};")
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        self.shapes[name] = dims
        return name

    def output(self, name):
        self.outputs.append(name)

    # Layers.

    def conv(self, name, x, kernel, bias, stride=1, padding=0):
        n, _, *space = self.shapes[x]
        out, _, *window = kernel.shape
        space = [(s + 2 * padding - w) // stride + 1 for s, w in zip(space, window)]
        dims = [n, out, *space]
        w = self.constant(name + "_w", kernel)
        b = self.constant(name + "_b", bias)
        call = (
            f"odla_Conv({self.value(x)}, {FIRST}, 1, {self.value(w)}, {OIS}, "
            f"{self.numbers(stride, stride)}, {self.numbers(1, 1)}, "
            f"{self.numbers(padding, padding)}, {self.numbers(padding, padding)}, {self.value(b)}, "
            f"{self.shape(dims)}, {self.id(name)})"
        )
        pads, strides = [padding] * 4, [stride] * 2
        return self.add(name, call, dims, "Conv", [x, w, b], pads=pads, strides=strides)

    def pool(self, name, x, kind, size, stride, padding=0):
        n, c, *space = self.shapes[x]
        dims = [n, c, *((s + 2 * padding - size) // stride + 1 for s in space)]
        more = "0, " if kind == "AveragePool" else ""
        call = (
            f"odla_{kind}({self.value(x)}, {FIRST}, {self.numbers(size, size)}, "
            f"{self.numbers(stride, stride)}, {self.numbers(padding, padding)}, "
            f"{self.numbers(padding, padding)}, {more}{self.shape(dims)}, {self.id(name)})"
        )
        window = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
        return self.add(name, call, dims, kind, [x], **window)

    def relu(self, name, x):
        return self.add(
            name, f"odla_Relu({self.value(x)}, {self.id(name)})", self.shapes[x], "Relu", [x]
        )

    def plus(self, name, x, y):
        call = f"odla_Add({self.value(x)}, {self.value(y)}, {self.id(name)})"
        return self.add(name, call, self.shapes[x], "Add", [x, y])

    def flatten(self, name, x):
        n, *rest = self.shapes[x]
        dims = [n, int(np.prod(rest))]
        call = f"odla_Reshape({self.value(x)}, {self.shape(dims)}, {self.id(name)})"
        return self.add(name, call, dims, "Flatten", [x])

    def dense(self, name, x, weight, bias):
        dims = [self.shapes[x][0], weight.shape[1]]
        w, b = self.constant(name + "_w", weight), self.constant(name + "_b", bias)
        call = (
            f"odla_Gemm({self.value(x)}, 0, {self.value(w)}, 0, 1, 1, {self.value(b)}, "
            f"{self.shape(dims)}, {self.id(name)})"
        )
        return self.add(name, call, dims, "Gemm", [x, w, b])

    def softmax(self, name, x):
        call = f"odla_Softmax({self.value(x)}, -1, {self.id(name)})"
        return self.add(name, call, self.shapes[x], "Softmax", [x], axis=-1)

    # What comes out.

    def source(self):
        name = self.name
        data = "".join(f"extern const float {one}[];\n" for one in map(self.symbol, self.weights))
        extern = data if self.is_c else f'extern "C" {{\n{data}}}\n'
        lines = ["#include <ODLA/odla.h>", "", extern]
        lines += ["static odla_computation Comp;", ""]
        linkage = "" if self.is_c else 'extern "C" '
        lines += [f"int {name}_helper(odla_computation comp);"] if self.is_c else []
        lines += [f"{linkage}int {name}_helper(odla_computation comp) {{"]
        lines += ["  (void)comp;"] if not self.items else []
        lines += [f"  {one}" for one in self._items()]
        for argument, dims in self.arguments:
            made = f"odla_CreateArgument({self.type(dims)}, {self.id(argument)})"
            lines.append(f"  odla_value {self.value(argument)} = {made};")
        for constant, array in self.weights.items():
            made = (
                f"odla_CreateConstant({self.type(list(array.shape))}, {self.symbol(constant)}, "
                f"{self.id(constant)})"
            )
            lines.append(f"  odla_value {self.value(constant)} = {made};")
        lines += [f"  {one}" for one in self.calls]
        lines += [f"  odla_SetValueAsOutput({self.value(one)});" for one in self.outputs]
        lines += ["  return 0;", "}", ""]
        ins = [f"const float {self.value(one)}[]" for one, _ in self.arguments]
        outs = [f"float out_{self.value(one)}[]" for one in self.outputs]
        batch = ["int batch_size"] if self.batch == -1 else []
        entry = f"int {name}({', '.join([*ins, *outs, *batch])})"
        if self.is_c:
            lines += [f"int {name}_init(void);", f"int {name}_fini(void);", f"{entry};"]
        lines += [f"{linkage}int {name}_init({'void' if self.is_c else ''}) {{"]
        lines += ["  odla_status status = ODLA_SUCCESS;", "  if (Comp == NULL) {"]
        lines += ["    status = odla_CreateComputation(&Comp);"]
        lines += ["    if (status != ODLA_SUCCESS) return status;"]
        lines += [f"    {name}_helper(Comp);", "  }", "  return ODLA_SUCCESS;", "}", ""]
        lines += [f"{linkage}int {name}_fini({'void' if self.is_c else ''}) {{"]
        lines += [
            "  if (Comp != NULL) return odla_DestroyComputation(Comp);",
            "  return 0;",
            "}",
            "",
        ]
        lines += [f"{linkage}{entry} {{", "  odla_status status;", "  static odla_context Ctx;"]
        lines += [f"  {name}_init();", "  if (Ctx == NULL) {"]
        lines += ["    status = odla_CreateContext(&Ctx);"]
        lines += ["    if (status != ODLA_SUCCESS) return status;", "  }"]
        calls = []
        if batch:
            calls.append("SetContextItem(Ctx, ODLA_RUN_BATCH_SIZE, (odla_item_value)&batch_size)")
        for one, _ in self.arguments:
            calls.append(f"BindToArgumentById({self.id(one)}, {self.value(one)}, Ctx)")
        for one in self.outputs:
            calls.append(f"BindToOutputById({self.id(one)}, out_{self.value(one)}, Ctx)")
        calls.append("ExecuteComputation(Comp, Ctx, ODLA_COMPUTE_INFERENCE, NULL)")
        for call in calls:
            lines += [f"  status = odla_{call};", "  if (status != ODLA_SUCCESS) return status;"]
        return "\n".join([*lines, "  return 0;", "}", ""])

    def _items(self):
        if not self.items:
            return
        for index, (item, kind, value) in enumerate(
            [
                ("USE_SIM_MODE", "bool", "true"),
                ("PROCESSOR_NUM", "int", 1),
                ("BATCHES_PER_STEP", "int", 1),
                *([("DYNAMIC_BATCH", "bool", "true")] if self.batch == -1 else []),
                *([("MIN_BATCH_SIZE", "int", 1)] if self.batch == -1 else []),
                *([("MAX_BATCH_SIZE", "int", self.most)] if self.batch == -1 else []),
                *([("OPT_BATCH_SIZE", "int", 4)] if self.batch == -1 else []),
            ]
        ):
            yield f"{kind} item_{index} = {value};"
            yield f"odla_SetComputationItem(comp, ODLA_{item}, (odla_item_value)&item_{index});"

    def symbol(self, constant):
        return f"{self.name}_{constant}"

    def data(self, file):
        """Assembly for the weights, which are one after the other in a file."""
        lines = [".section .data"]
        offset = 0
        for name, array in self.weights.items():
            symbol = self.symbol(name)
            lines += [".balign 16", f".global {symbol}", f".hidden {symbol}", f"{symbol}:"]
            lines += [f'.incbin "{file}", {offset}, {array.nbytes}']
            offset += array.nbytes
        return "\n".join([*lines, '.section .note.GNU-stack,"",@progbits', ""])

    def blob(self):
        return b"".join(array.tobytes() for array in self.weights.values())

    def onnx(self):
        def info(name):
            dims = ["N" if dim is None else dim for dim in self.shapes[name]]
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)

        graph = helper.make_graph(
            self.nodes,
            self.name,
            [info(name) for name, _ in self.arguments],
            [info(name) for name in self.outputs],
            [numpy_helper.from_array(array, name) for name, array in self.weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.checker.check_model(model)
        return model

    def expected(self, *inputs):
        """What onnxruntime gives."""
        import onnxruntime

        session = onnxruntime.InferenceSession(
            self.onnx().SerializeToString(), providers=["CPUExecutionProvider"]
        )
        names = [name for name, _ in self.arguments]
        return session.run(self.outputs, dict(zip(names, inputs)))

    def write(self, folder):
        """The files that are compiled."""
        source = folder / f"{self.name}.{'c' if self.is_c else 'cpp'}"
        source.write_text(self.source())
        weights = folder / f"{self.name}.bin"
        weights.write_bytes(self.blob())
        data = folder / f"{self.name}_data.s"
        data.write_text(self.data(weights))
        return [source, data]


def _braces(numbers):
    return "{" + ", ".join(str(-1 if one is None else int(one)) for one in numbers) + "}"


# Models.


def one_convolution(**options):
    m = Model("conv", **options)
    random = m.random
    x = m.argument("in/put:0", [1, 3, 8, 8])
    weights = random.randn(4, 3, 3, 3).astype("f4"), random.randn(4).astype("f4")
    m.output(m.conv("Conv_output", x, *weights, 1, 1))
    return m


def dense_net(batch, **options):
    m = Model("dense", batch=batch, **options)
    random = m.random
    x = m.argument("x", [None if batch == -1 else batch, 6])
    x = m.relu("h", m.dense("a", x, random.randn(6, 5).astype("f4"), random.randn(5).astype("f4")))
    m.output(m.dense("y", x, random.randn(5, 3).astype("f4"), random.randn(3).astype("f4")))
    return m


def lenet(convolutions, layers, batch):
    """``convolutions``: two of (kernel, bias); ``layers``: three of (weights, bias)."""
    m = Model("lenet")
    x = m.argument("image", [batch, 1, 28, 28])
    x = m.pool("p1", m.relu("r1", m.conv("c1", x, *convolutions[0], 1, 2)), "MaxPool", 2, 2)
    x = m.pool("p2", m.relu("r2", m.conv("c2", x, *convolutions[1])), "MaxPool", 2, 2)
    x = m.flatten("flat", x)
    for number, layer in enumerate(layers):
        x = m.dense(f"d{number}", x, *layer)
        if number < len(layers) - 1:
            x = m.relu(f"dr{number}", x)
    m.output(m.softmax("probabilities", x))
    return m


def resnet50(language="cpp"):
    m = Model("resnet50", language)
    random = m.random

    def conv(name, x, out, size, stride=1):
        inner = m.shapes[x][1] * size * size
        kernel = (random.randn(out, m.shapes[x][1], size, size) * (2.0 / inner) ** 0.5).astype("f4")
        bias = (random.randn(out) * 0.05).astype("f4")
        return m.conv(name, x, kernel, bias, stride, size // 2)

    x = m.argument("data", [1, 3, 224, 224])
    x = m.pool("pool1", m.relu("relu1", conv("conv1", x, 64, 7, 2)), "MaxPool", 3, 2, 1)
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        for block in range(blocks):
            at = f"s{stage}b{block}"
            stride = 2 if stage and block == 0 else 1
            y = m.relu(at + "r1", conv(at + "c1", x, width, 1))
            y = m.relu(at + "r2", conv(at + "c2", y, width, 3, stride))
            y = conv(at + "c3", y, 4 * width, 1)
            if block == 0:
                x = conv(at + "c0", x, 4 * width, 1, stride)
            x = m.relu(at + "r3", m.plus(at + "add", x, y))
    x = m.flatten("flat", m.pool("pool5", x, "AveragePool", 7, 1))
    weight = (random.randn(2048, 1000) * 0.01).astype("f4")
    m.output(m.softmax("prob", m.dense("fc", x, weight, np.zeros(1000, "f4"))))
    return m
