"""AI Matrix's image classifiers as ONNX models, written anew from their descriptions.

They share no code with the examples: paddings are ONNX's own (``auto_pad``, ``ceil_mode``), and
weights are looked up by name in what an example drew.
"""

import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """An ONNX graph that grows node by node; tensors are names."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.constants = {}

    def op(self, kind, inputs, **attributes):
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def weight(self, name):
        self.constants[name] = numpy_helper.from_array(self.weights[name], name)
        return name

    def number(self, value):
        name = f"c{value}"
        self.constants[name] = helper.make_tensor(name, TensorProto.FLOAT, [], [value])
        return name

    def conv(self, x, name, stride=1, bias=False, **padding):
        inputs = [x, self.weight(f"{name}.weight")]
        if bias:
            inputs.append(self.weight(f"{name}.bias"))
        return self.op("Conv", inputs, strides=[stride] * 2, **padding)

    def norm(self, x, name, epsilon):
        names = [self.weight(f"{name}.{part}") for part in ("scale", "offset", "mean", "var")]
        return self.op("BatchNormalization", [x, *names], epsilon=epsilon)

    def relu(self, x):
        return self.op("Relu", [x])

    def conv_norm_relu(self, x, name, epsilon, stride=1, **padding):
        return self.relu(self.norm(self.conv(x, name, stride, **padding), f"{name}.bn", epsilon))

    def conv_relu(self, x, name, stride=1, **padding):
        return self.relu(self.conv(x, name, stride, bias=True, **padding))

    def pool(self, x, kind, window, stride, **more):
        return self.op(kind, [x], kernel_shape=[window] * 2, strides=[stride] * 2, **more)

    def mean(self, x):
        return self.op("Flatten", [self.op("GlobalAveragePool", [x])])

    def linear(self, x, name):
        return self.op("Gemm", [x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")])

    def pixels(self):
        turned = self.op("Transpose", ["Images"], perm=[0, 3, 1, 2])
        return self.op("Sub", [self.op("Div", [turned, self.number(127.5)]), self.number(1.0)])

    def model(self, input, dims, result, output):
        graph = helper.make_graph(
            [*self.nodes, helper.make_node("Identity", [result], [output])],
            "net",
            [helper.make_tensor_value_info(input, TensorProto.FLOAT, dims)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [dims[0], 1000])],
            list(self.constants.values()),
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        return onnx.shape_inference.infer_shapes(made)


SAME = {"auto_pad": "SAME_UPPER"}


def from_pixels(net, batch, size, features):
    """CNN_Tensorflow's frame: pixels in, logits out."""
    return net.model("Images", [batch, size, size, 3], net.linear(features, "logits"), "logits")


def to_probabilities(net, batch, size, logits):
    """CNN_Caffe's frame."""
    return net.model("data", [batch, 3, size, size], net.op("Softmax", [logits], axis=-1), "prob")


def resnet(counts, caffe):
    def build(weights, batch, size):
        net, epsilon = Net(weights), 1e-5 if caffe else 1e-4
        x = "data" if caffe else net.pixels()
        x = net.conv_norm_relu(x, "conv0", epsilon, 2, pads=[3] * 4)
        x = net.pool(x, "MaxPool", 3, 2, **({"ceil_mode": 1} if caffe else SAME))
        for stage, count in enumerate(counts):
            for block in range(count):
                name = f"stage{stage + 1}.block{block}"
                first = 2 if stage and not block else 1
                y = net.conv_norm_relu(x, f"{name}.conv0", epsilon, first)
                y = net.conv_norm_relu(y, f"{name}.conv1", epsilon, pads=[1] * 4)
                y = net.norm(net.conv(y, f"{name}.conv2"), f"{name}.conv2.bn", epsilon)
                if not block:
                    x = net.conv(x, f"{name}.project", first)
                    x = net.norm(x, f"{name}.project.bn", epsilon)
                x = net.relu(net.op("Add", [y, x]))
        if not caffe:
            return from_pixels(net, batch, size, net.mean(x))
        return to_probabilities(net, batch, size, net.linear(net.mean(x), "classifier"))

    return build


def googlenet(caffe):
    down = {"ceil_mode": 1} if caffe else SAME

    def build(weights, batch, size):
        net = Net(weights)

        def lrn(x):
            same = {"size": 5, "alpha": 1e-4, "beta": 0.75, "bias": 1.0}
            return net.op("LRN", [x], **same) if caffe else x

        x = "data" if caffe else net.pixels()
        x = net.conv_relu(x, "conv1", 2, **({"pads": [3] * 4} if caffe else SAME))
        x = lrn(net.pool(x, "MaxPool", 3, 2, **down))
        x = net.conv_relu(net.conv_relu(x, "conv2.reduce"), "conv2", **SAME)
        x = net.pool(lrn(x), "MaxPool", 3, 2, **down)
        for module in ("3a", "3b", None, "4a", "4b", "4c", "4d", "4e", None, "5a", "5b"):
            if module is None:
                x = net.pool(x, "MaxPool", 3, 2, **down)
                continue
            name = f"inception{module}"
            pooled = net.pool(x, "MaxPool", 3, 1, **SAME)
            parts = [
                net.conv_relu(x, f"{name}.one"),
                net.conv_relu(net.conv_relu(x, f"{name}.reduce3"), f"{name}.three", **SAME),
                net.conv_relu(net.conv_relu(x, f"{name}.reduce5"), f"{name}.five", **SAME),
                net.conv_relu(pooled, f"{name}.pooled"),
            ]
            x = net.op("Concat", parts, axis=1)
        if not caffe:
            return from_pixels(net, batch, size, net.mean(x))
        return to_probabilities(net, batch, size, net.linear(net.mean(x), "classifier"))

    return build


def densenet(caffe):
    def build(weights, batch, size):
        net = Net(weights)
        x = "data" if caffe else net.pixels()
        x = net.conv_norm_relu(x, "conv1", 1e-5, 2, pads=[3] * 4)
        x = net.pool(x, "MaxPool", 3, 2, pads=[1] * 4)
        for block, count in enumerate((6, 12, 24, 16), 1):
            for layer in range(count):
                name = f"block{block}.layer{layer}"
                y = net.relu(net.norm(x, f"{name}.conv0.bn", 1e-5))
                y = net.conv(y, f"{name}.conv0")
                y = net.relu(net.norm(y, f"{name}.conv1.bn", 1e-5))
                x = net.op("Concat", [x, net.conv(y, f"{name}.conv1", pads=[1] * 4)], axis=1)
            if block < 4:
                x = net.relu(net.norm(x, f"transition{block}.bn", 1e-5))
                x = net.pool(net.conv(x, f"transition{block}"), "AveragePool", 2, 2)
        x = net.relu(net.norm(x, "last.bn", 1e-5))
        if not caffe:
            return from_pixels(net, batch, size, net.mean(x))
        x = net.conv(net.op("GlobalAveragePool", [x]), "classifier", bias=True)
        return to_probabilities(net, batch, size, net.op("Flatten", [x]))

    return build


def densenet_coded(weights, batch, size):
    net = Net(weights)

    def both(x, name):
        x = net.relu(net.norm(x, f"{name}.before", 1e-4))
        return net.conv_norm_relu(x, name, 1e-4, **SAME)

    x = net.conv_norm_relu(net.pixels(), "conv1", 1e-4, 2)
    x = net.pool(x, "AveragePool", 2, 2)
    for block, count in enumerate((6, 12, 24), 1):
        for layer in range(count):
            name = f"block{block}.layer{layer}"
            y = both(both(x, f"{name}.conv0"), f"{name}.conv1")
            x = net.op("Concat", [x, y], axis=1)
        x = net.pool(both(x, f"transition{block}"), "AveragePool", 2, 2)
    x = net.mean(net.relu(net.norm(x, "last.bn", 1e-4)))
    return from_pixels(net, batch, size, x)


def synnet(weights, batch, size):
    net = Net(weights)
    x = net.pixels()
    for group, count in enumerate((3, 11, 12, 15, 11, 10), 1):
        for place in range(count):
            x = net.conv_norm_relu(x, f"group{group}.conv{place}", 1e-4, **SAME)
        x = net.pool(x, "MaxPool", 2, 2)
    return from_pixels(net, batch, size, net.op("Flatten", [x]))


def squeezenet(weights, batch, size):
    net = Net(weights)
    x = net.conv_relu("data", "conv1", 2)
    for number in range(2, 10):
        if number in (2, 4, 6):
            x = net.pool(x, "MaxPool", 3, 2, ceil_mode=1)
        x = net.conv_relu(x, f"fire{number}.squeeze")
        one = net.conv_relu(x, f"fire{number}.one")
        x = net.op("Concat", [one, net.conv_relu(x, f"fire{number}.three", pads=[1] * 4)], axis=1)
    return to_probabilities(net, batch, size, net.mean(net.conv_relu(x, "conv10")))


NETWORKS = {
    "caffe_densenet121": densenet(caffe=True),
    "caffe_googlenet": googlenet(caffe=True),
    "caffe_resnet152": resnet((3, 8, 36, 3), caffe=True),
    "caffe_resnet50": resnet((3, 4, 6, 3), caffe=True),
    "caffe_squeezenet": squeezenet,
    "densenet121": densenet(caffe=False),
    "densenet121_coded": densenet_coded,
    "googlenet": googlenet(caffe=False),
    "resnet152": resnet((3, 8, 36, 3), caffe=False),
    "resnet50": resnet((3, 4, 6, 3), caffe=False),
    "synnet": synnet,
}
"""By the example's name: a function of its weights, a batch and an image size."""
