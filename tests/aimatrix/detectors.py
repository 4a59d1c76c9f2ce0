"""AI Matrix's detectors as ONNX models, written anew from their descriptions.

They share no code with the examples; weights are looked up by name in what an example drew.  Each
function makes the nodes of the part that onnxruntime computes; tensors are names.
"""

import math

import numpy as np
import onnx
import onnxruntime
from aimatrix.classifiers import Net
from onnx import TensorProto, helper, numpy_helper

EPSILON = 1e-5
CEIL = {"ceil_mode": 1}
SAME = {"auto_pad": "SAME_UPPER"}


class Detector(Net):
    """``is_empty``: the weights are inputs without numbers, for a model that is only counted."""

    def __init__(self, weights, is_empty=False):
        super().__init__(weights)
        self.is_empty = is_empty
        self.inputs = []
        self.results = []

    def input(self, name, *dims):
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
        return name

    def weight(self, name):
        if not self.is_empty:
            return super().weight(name)
        if name not in {one.name for one in self.inputs}:
            self.input(name, *self.weights[name].shape)
        return name

    def ints(self, *values):
        name = f"ints{values}"
        self.constants[name] = numpy_helper.from_array(np.array(values, np.int64), name)
        return name

    def reshape(self, x, *dims):
        return self.op("Reshape", [x, self.ints(*dims)])

    def last(self, x):
        """Channels last."""
        return self.op("Transpose", [x], perm=[0, 2, 3, 1])

    def first(self, x):
        return self.op("Transpose", [x], perm=[0, 3, 1, 2])

    def deconv(self, x, name, stride, bias=False):
        inputs = [x, self.weight(f"{name}.weight")]
        if bias:
            inputs.append(self.weight(f"{name}.bias"))
        return self.op("ConvTranspose", inputs, strides=[stride] * 2)

    def unit(self, x, name, scale):
        """Channels of length 1, times a scale."""
        x = self.op("LpNormalization", [x], axis=1, p=2)
        return self.op("Mul", [x, self.reshape(self.weight(f"{name}.{scale}"), 1, -1, 1, 1)])

    def result(self, x, name):
        self.nodes.append(helper.make_node("Identity", [x], [name]))
        self.results.append(name)

    def made(self):
        graph = helper.make_graph(
            self.nodes,
            "detector",
            self.inputs,
            [helper.make_tensor_value_info(one, TensorProto.FLOAT, None) for one in self.results],
            list(self.constants.values()),
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)

    def run(self, feeds):
        session = onnxruntime.InferenceSession(
            self.made().SerializeToString(), providers=["CPUExecutionProvider"]
        )
        return dict(zip(self.results, session.run(self.results, feeds)))

    def macs(self):
        """Multiplications of convolutions."""
        model = onnx.shape_inference.infer_shapes(self.made(), strict_mode=True)
        shapes = {
            one.name: [dim.dim_value for dim in one.type.tensor_type.shape.dim]
            for one in [*model.graph.value_info, *model.graph.input, *model.graph.output]
        }
        total = 0
        for node in model.graph.node:
            if node.op_type in ("Conv", "ConvTranspose"):
                slid = node.output if node.op_type == "Conv" else node.input
                total += math.prod(shapes[slid[0]]) * math.prod(shapes[node.input[1]][1:])
        return total

    # Parts that several have.

    def pad1(self, x, name, stride=1, bias=True):
        return self.conv(x, name, stride, bias=bias, pads=[1] * 4)

    def vgg(self, x, padding):
        kept = None
        for group, count in enumerate((2, 2, 3, 3, 3), 1):
            for place in range(count):
                x = self.relu(self.pad1(x, f"conv{group}_{place + 1}"))
            if group == 4:
                kept = x
            if group < 5:
                x = self.pool(x, "MaxPool", 2, 2, **padding)
        return kept, x

    def fc67(self, x):
        x = self.pool(x, "MaxPool", 3, 1, pads=[1] * 4)
        x = self.relu(self.conv(x, "fc6", bias=True, pads=[6] * 4, dilations=[6, 6]))
        return self.conv_relu(x, "fc7")

    def basic(self, x, name, stride, project):
        y = self.conv_norm_relu(x, f"{name}.conv0", EPSILON, stride, pads=[1] * 4)
        y = self.norm(self.pad1(y, f"{name}.conv1", bias=False), f"{name}.last.bn", EPSILON)
        return self.join(x, y, name, stride if project else None)

    def bottleneck(
        self, x, name, strides=(1, 1), project=False, dilation=1, bias=False, epsilon=EPSILON
    ):
        y = self.conv(x, f"{name}.conv0", strides[0], bias=bias)
        y = self.relu(self.norm(y, f"{name}.conv0.bn", epsilon))
        around = {"pads": [dilation] * 4, "dilations": [dilation] * 2}
        y = self.conv(y, f"{name}.conv1", strides[1], bias=bias, **around)
        y = self.relu(self.norm(y, f"{name}.conv1.bn", epsilon))
        y = self.norm(self.conv(y, f"{name}.conv2", bias=bias), f"{name}.last.bn", epsilon)
        stride = strides[0] * strides[1] if project else None
        return self.join(x, y, name, stride, bias, epsilon)

    def join(self, x, y, name, stride, bias=False, epsilon=EPSILON):
        if stride:
            x = self.conv(x, f"{name}.project", stride, bias=bias)
            x = self.norm(x, f"{name}.project.bn", epsilon)
        return self.relu(self.op("Add", [x, y]))

    def resnet(self, x, counts, inside, bias=False, epsilon=EPSILON):
        maps = []
        for stage, count in enumerate(counts, 1):
            for block in range(count):
                stride = 2 if stage > 1 and block == 0 else 1
                strides = (1, stride) if inside else (stride, 1)
                name = f"stage{stage}.block{block}"
                x = self.bottleneck(x, name, strides, block == 0, bias=bias, epsilon=epsilon)
            maps.append(x)
        return maps

    def ssd(self, locations, scores):
        """The results of an SSD network of its levels' parts [N,n,..]."""
        self.result(self.op("Concat", locations, axis=1), "location")
        scores = self.op("Concat", scores, axis=1)
        self.result(self.op("Softmax", [scores], axis=-1), "confidence")

    def caffe_ssd(self, sources, batch, classes, windows, name="head"):
        locations, scores = [], []
        for place, (x, window) in enumerate(zip(sources, windows)):
            for part, numbers, found in (("loc", 4, locations), ("conf", classes, scores)):
                y = self.conv(x, f"{name}{place}.{part}", bias=True, pads=[window // 2] * 4)
                found.append(self.reshape(self.last(y), batch, -1, numbers))
        self.ssd(locations, scores)


def ssd_vgg16(net, batch):
    fourth, x = net.vgg(net.input("data", batch, 3, 300, 300), CEIL)
    x = net.fc67(x)
    sources = [net.unit(fourth, "conv4_3_norm", "scale"), x]
    for place, stride, pad in ((6, 2, 1), (7, 2, 1), (8, 1, 0), (9, 1, 0)):
        x = net.conv_relu(x, f"conv{place}_1")
        x = net.conv_relu(x, f"conv{place}_2", stride, pads=[pad] * 4)
        sources.append(x)
    net.caffe_ssd(sources, batch, 21, [3] * 6)


def ssd_resnet18(net, batch):
    x = net.input("data", batch, 3, 321, 321)
    x = net.conv_norm_relu(x, "conv1", EPSILON, 2, pads=[3] * 4)
    x = net.pool(x, "MaxPool", 3, 2, **CEIL)
    sources = []
    for stage in (2, 3, 4, 5):
        x = net.basic(x, f"res{stage}a", 1 if stage == 2 else 2, True)
        x = net.basic(x, f"res{stage}b", 1, False)
        sources.append(x)
    x = net.conv_relu(net.conv_relu(x, "conv6"), "conv7", 2, pads=[1] * 4)
    net.caffe_ssd([*sources[1:], x], batch, 21, [3] * 4)


def pytorch_ssd(net, x, batch, extra):
    sources = [x]
    for place, (stride, pad) in enumerate(((2, 1), (2, 1), (2, 1), (1, 0), (1, 0)), 1):
        x = extra(extra(x, f"extra{place}.conv0"), f"extra{place}.conv1", stride, pads=[pad] * 4)
        sources.append(x)
    locations, scores = [], []
    for place, (x, count) in enumerate(zip(sources, (4, 6, 6, 6, 4, 4))):
        y = net.pad1(x, f"head{place}")
        parts = helper.make_node(
            "Split", [y, net.ints(4 * count, 81 * count)], [f"l{place}", f"s{place}"], axis=1
        )
        net.nodes.append(parts)
        for name, numbers, found in ((f"l{place}", 4, locations), (f"s{place}", 81, scores)):
            turned = net.reshape(name, batch, numbers, -1)
            found.append(net.op("Transpose", [turned], perm=[0, 2, 1]))
    net.ssd(locations, scores)


def ssd_resnet34(net, batch):
    x = net.input("data", batch, 3, 300, 300)
    x = net.conv_norm_relu(x, "conv1", EPSILON, 2, pads=[3] * 4)
    x = net.pool(x, "MaxPool", 3, 2, pads=[1] * 4)
    for stage, count in ((1, 3), (2, 4), (3, 6)):
        for block in range(count):
            first = block == 0
            stride = 2 if first and stage == 2 else 1
            x = net.basic(x, f"layer{stage}.block{block}", stride, first and stage > 1)
    pytorch_ssd(net, x, batch, net.conv_relu)


def ssd_resnet50(net, batch):
    x = net.input("data", batch, 3, 300, 300)
    x = net.conv_norm_relu(x, "conv1", EPSILON, 2, pads=[3] * 4)
    x = net.pool(x, "MaxPool", 3, 2, pads=[1] * 4)
    for stage, count in ((1, 3), (2, 4), (3, 6)):
        for block in range(count):
            stride = 2 if block == 0 and stage == 2 else 1
            x = net.bottleneck(x, f"layer{stage}.block{block}", (1, stride), block == 0)

    def extra(x, name, stride=1, **padding):
        return net.conv_norm_relu(x, name, EPSILON, stride, **padding)

    pytorch_ssd(net, x, batch, extra)


def dssd(net, batch):
    x = net.input("data", batch, 3, 321, 321)
    x = net.conv_norm_relu(x, "conv1", EPSILON, 2, pads=[3] * 4)
    x = net.pool(x, "MaxPool", 3, 2, **CEIL)
    maps = []
    for stage, count in ((2, 3), (3, 4), (4, 23), (5, 3)):
        for block in range(count):
            strides = (2 if block == 0 and stage in (3, 4) else 1, 1)
            dilation = 2 if stage == 5 else 1
            x = net.bottleneck(x, f"res{stage}.block{block}", strides, block == 0, dilation)
        if stage in (3, 5):
            maps.append(x)
    for place, stride in ((6, 2), (7, 2), (8, 1), (9, 1)):
        name = f"res{place}"
        y = net.conv_norm_relu(x, f"{name}.conv0", EPSILON)
        y = net.conv_norm_relu(y, f"{name}.conv1", EPSILON, stride)
        y = net.norm(net.conv(y, f"{name}.conv2"), f"{name}.conv2.bn", EPSILON)
        x = net.norm(net.conv(x, f"{name}.project", stride), f"{name}.project.bn", EPSILON)
        x = net.relu(net.op("Add", [x, y]))
        maps.append(x)
    sources = [maps[5]]
    for place, stride in ((4, 1), (3, 1), (2, 2), (1, 2), (0, 2)):
        name = f"deconv{place}"
        x = net.pad1(net.deconv(sources[0], f"{name}.deconv", stride), f"{name}.conv", bias=False)
        x = net.norm(x, f"{name}.conv.bn", EPSILON)
        y = net.conv_norm_relu(maps[place], f"{name}.side0", EPSILON, pads=[1] * 4)
        y = net.norm(net.pad1(y, f"{name}.side1", bias=False), f"{name}.side1.bn", EPSILON)
        sources.insert(0, net.relu(net.op("Mul", [x, y])))
    predicted = [
        net.bottleneck(x, f"prediction{place}", project=True) for place, x in enumerate(sources)
    ]
    net.caffe_ssd(predicted, batch, 21, (5, 5, 3, 3, 3, 3), "prediction")


def cpn(net, batch, height=384, width=288, counts=(3, 4, 23, 3)):
    x = net.first(net.input("images", batch, height, width, 3))
    x = net.conv_norm_relu(x, "conv1", EPSILON, 2, pads=[3] * 4)
    x = net.pool(x, "MaxPool", 3, 2, pads=[1] * 4)
    maps = net.resnet(x, counts, inside=True)

    def grown(x, times):
        if times == 1:
            return x
        scales = f"scales{times}"
        array = np.array([1, 1, times, times], np.float32)
        net.constants[scales] = numpy_helper.from_array(array, scales)
        same = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
        return net.op("Resize", [x, "", scales], **same)

    levels = []
    for place in (5, 4, 3, 2):
        y = net.conv_norm_relu(maps[place - 2], f"lateral{place}", EPSILON)
        if levels:
            coarse = net.conv(grown(levels[0], 2), f"merge{place}", bias=True)
            y = net.op("Add", [y, coarse])
        levels.insert(0, y)
    parts = []
    for place, x in enumerate(levels):
        for block in range(place):
            x = net.bottleneck(x, f"refine{place + 2}.block{block}")
        parts.append(grown(x, 2**place))
    x = net.bottleneck(net.op("Concat", parts, axis=1), "refine", project=True)
    net.result(net.last(net.pad1(x, "heatmaps")), "heatmaps")


def seglink(net, batch, height=1280, width=768):
    x = net.first(net.input("images", batch, height, width, 3))
    fourth, x = net.vgg(x, SAME)
    x = net.fc67(x)
    sources = [net.unit(fourth, "conv4_3_norm", "scale"), x]
    for place in (8, 9, 10):
        x = net.conv_relu(net.conv_relu(x, f"conv{place}_1"), f"conv{place}_2", 2, **SAME)
        sources.append(x)
    sources.append(net.conv_relu(x, "conv11", 2, **SAME))
    for place, x in enumerate(sources):
        segments = net.last(net.pad1(x, f"head{place}.segments"))
        net.result(net.op("Softmax", [segments], axis=-1), f"segments{place}")
        pairs = net.reshape(net.last(net.pad1(x, f"head{place}.links")), 0, 0, 0, -1, 2)
        pairs = net.op("Softmax", [pairs], axis=-1)
        ends = [net.ints(one) for one in (0, 8, 3)]
        net.result(net.op("Slice", [pairs, *ends]), f"links{place}")
        if place:
            ends = [net.ints(one) for one in (8, 12, 3)]
            net.result(net.op("Slice", [pairs, *ends]), f"cross{place}")
        net.result(net.last(net.pad1(x, f"head{place}.offsets")), f"offsets{place}")


def faster_rcnn(net, batch, height=600, width=1000):
    _, x = net.vgg(net.input("data", batch, 3, height, width), CEIL)
    net.result(x, "conv5")
    x = net.relu(net.pad1(x, "rpn_conv"))
    net.result(net.conv(x, "rpn_cls_score", bias=True), "scores")
    net.result(net.conv(x, "rpn_bbox_pred", bias=True), "deltas")


def mask_rcnn(net, batch, size=1024, counts=(3, 4, 23, 3)):
    x = net.first(net.input("images", batch, size, size, 3))
    x = net.conv(x, "conv1", 2, bias=True, pads=[3] * 4)
    x = net.pool(net.relu(net.norm(x, "bn_conv1", 1e-3)), "MaxPool", 3, 2, **SAME)
    maps = net.resnet(x, counts, inside=False, bias=True, epsilon=1e-3)
    net.constants["double"] = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "double")
    levels = []
    for place in (5, 4, 3, 2):
        y = net.conv(maps[place - 2], f"fpn_c{place}p{place}", bias=True)
        if levels:
            up = net.op(
                "Resize", [levels[0], "", "double"], mode="nearest", nearest_mode="floor",
                coordinate_transformation_mode="asymmetric",
            )  # fmt: skip
            y = net.op("Add", [up, y])
        levels.insert(0, y)
    levels = [net.pad1(y, f"fpn_p{place}") for place, y in enumerate(levels, 2)]
    for place, level in enumerate(levels):
        net.result(level, f"p{place}")
    levels.append(net.pool(levels[-1], "MaxPool", 1, 2))
    logits, deltas = [], []
    for x in levels:
        x = net.relu(net.pad1(x, "rpn_conv_shared"))
        raw = net.last(net.conv(x, "rpn_class_raw", bias=True))
        box = net.last(net.conv(x, "rpn_bbox_pred", bias=True))
        logits.append(net.reshape(raw, -1, 2))
        deltas.append(net.reshape(box, -1, 4))
    net.result(net.op("Concat", logits, axis=0), "logits")
    net.result(net.op("Concat", deltas, axis=0), "deltas")


def mask_head(net, count, channels):
    x = net.input("crops", count, channels, 14, 14)
    for place in range(1, 5):
        x = net.pad1(x, f"mrcnn_mask_conv{place}")
        x = net.relu(net.norm(x, f"mrcnn_mask_conv{place}.bn", 1e-3))
    x = net.relu(net.deconv(x, "mrcnn_mask_deconv", 2, bias=True))
    net.result(net.op("Sigmoid", [net.conv(x, "mrcnn_mask", bias=True)]), "masks")
