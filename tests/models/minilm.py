"""all-MiniLM-L6-v2 as an ONNX model (opset 17), from its safetensors file.

BERT (arXiv:1810.04805) with 6 layers, hidden size 384, 12 heads; outputs the hidden states and the
sentence embedding, which is their mean over the mask, normalised to length 1 (arXiv:1908.10084).
"""

import json
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from odla_ipu import pretrained

LAYERS, HIDDEN, HEADS = 6, 384, 12
EPSILON = 1e-12
# What the original BERT adds for masked positions; float16 can hold it.
MASKED = -10000.0

# Goes into the file name, so that a change here makes the file anew.
_VERSION = 1


def path():
    """The ONNX file (91 MB), written on first use and kept in the cache."""
    target = pretrained.cache_folder() / "minilm" / f"minilm-{_VERSION}.onnx"
    if not target.is_file():
        model = build(read_safetensors(pretrained.path("minilm") / "model.safetensors"))
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        onnx.save(model, str(partial))
        os.replace(str(partial), str(target))
    return target


def read_safetensors(file):
    """The float32 tensors of a safetensors file by name.

    Format: 8 bytes of header length (little endian), a JSON header with dtype, shape and
    data_offsets of each tensor, then the data.
    """
    content = file.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, entry in json.loads(content[8:start]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        first, last = entry["data_offsets"]
        data = np.frombuffer(content, "<f4", (last - first) // 4, start + first)
        tensors[name] = data.reshape(entry["shape"])
    return tensors


def tokenize(sentences, length=None):
    """input_ids, attention_mask and token_type_ids, int64 [sentences, length], padded with 0."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(pretrained.path("minilm") / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = [tokenizer.encode(sentence).ids for sentence in sentences]
    shape = (len(ids), length or max(map(len, ids)))
    arrays = {
        name: np.zeros(shape, np.int64)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    for row, tokens in enumerate(ids):
        arrays["input_ids"][row, : len(tokens)] = tokens
        arrays["attention_mask"][row, : len(tokens)] = 1
    return arrays


def build(tensors):
    """The ModelProto; inputs int64 [batch, sequence]."""
    return _Writer(tensors).model()


class _Writer:
    def __init__(self, tensors):
        self.tensors = tensors
        self.nodes = []
        self.initializers = {}

    def model(self):
        states = self.embeddings()
        bias = self.attention_bias()
        for layer in range(LAYERS):
            states = self.layer(f"encoder.layer.{layer}", states, bias)
        self.nodes.append(helper.make_node("Identity", [states], ["last_hidden_state"]))
        self.sentence_embedding(states)
        ids = ["batch", "sequence"]
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ids)
            for name in ("input_ids", "attention_mask", "token_type_ids")
        ]
        outputs = [
            helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*ids, HIDDEN]),
            helper.make_tensor_value_info(
                "sentence_embedding", TensorProto.FLOAT, ["batch", HIDDEN]
            ),
        ]
        graph = helper.make_graph(
            self.nodes, "minilm", inputs, outputs, list(self.initializers.values())
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def embeddings(self):
        words = self.op("Gather", self.weight("embeddings.word_embeddings.weight"), "input_ids")
        kinds = self.op(
            "Gather", self.weight("embeddings.token_type_embeddings.weight"), "token_type_ids"
        )
        sequence = self.op(
            "Slice", self.op("Shape", "input_ids"), self.integers(1), self.integers(2)
        )
        positions = self.op(
            "Slice",
            self.weight("embeddings.position_embeddings.weight"),
            self.integers(0),
            sequence,
        )
        total = self.op("Add", self.op("Add", words, kinds), positions)
        return self.layer_norm("embeddings.LayerNorm", total)

    def attention_bias(self):
        """0 where the mask is 1, else -10000: [batch, 1, 1, sequence]."""
        mask = self.op("Cast", "attention_mask", to=TensorProto.FLOAT)
        absent = self.op("Sub", self.number(1.0), mask)
        return self.op(
            "Unsqueeze", self.op("Mul", absent, self.number(MASKED)), self.integers(1, 2)
        )

    def layer(self, prefix, states, bias):
        attended = self.attention(f"{prefix}.attention.self", states, bias)
        attended = self.linear(f"{prefix}.attention.output.dense", attended)
        states = self.layer_norm(
            f"{prefix}.attention.output.LayerNorm", self.op("Add", attended, states)
        )
        wide = self.gelu(self.linear(f"{prefix}.intermediate.dense", states))
        narrow = self.linear(f"{prefix}.output.dense", wide)
        return self.layer_norm(f"{prefix}.output.LayerNorm", self.op("Add", narrow, states))

    def attention(self, prefix, states, bias):
        query = self.heads(self.linear(f"{prefix}.query", states), [0, 2, 1, 3])
        key = self.heads(self.linear(f"{prefix}.key", states), [0, 2, 3, 1])
        value = self.heads(self.linear(f"{prefix}.value", states), [0, 2, 1, 3])
        scores = self.op(
            "Div", self.op("MatMul", query, key), self.number((HIDDEN // HEADS) ** 0.5)
        )
        weights = self.op("Softmax", self.op("Add", scores, bias), axis=-1)
        mixed = self.op("Transpose", self.op("MatMul", weights, value), perm=[0, 2, 1, 3])
        return self.op("Reshape", mixed, self.integers(0, 0, HIDDEN))

    def heads(self, states, order):
        split = self.op("Reshape", states, self.integers(0, 0, HEADS, HIDDEN // HEADS))
        return self.op("Transpose", split, perm=order)

    def gelu(self, x):
        """x / 2 * (1 + erf(x / sqrt 2)), as exporters write it."""
        error = self.op("Erf", self.op("Div", x, self.number(2**0.5)))
        return self.op(
            "Mul", self.op("Mul", x, self.op("Add", error, self.number(1.0))), self.number(0.5)
        )

    def linear(self, prefix, x):
        """Weights are stored [out, in]."""
        matrix = self.constant(
            f"{prefix}.weight.T", np.ascontiguousarray(self.tensors[f"{prefix}.weight"].T)
        )
        return self.op("Add", self.op("MatMul", x, matrix), self.weight(f"{prefix}.bias"))

    def layer_norm(self, prefix, x):
        scale, bias = self.weight(f"{prefix}.weight"), self.weight(f"{prefix}.bias")
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)

    def sentence_embedding(self, states):
        mask = self.op(
            "Unsqueeze", self.op("Cast", "attention_mask", to=TensorProto.FLOAT), self.integers(2)
        )
        total = self.op("ReduceSum", self.op("Mul", states, mask), self.integers(1), keepdims=0)
        count = self.op("ReduceSum", mask, self.integers(1), keepdims=0)
        mean = self.op("Div", total, count)
        length = self.op("ReduceL2", mean, axes=[1], keepdims=1)
        self.nodes.append(helper.make_node("Div", [mean, length], ["sentence_embedding"]))

    def op(self, kind, *inputs, **attributes):
        result = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [result], **attributes))
        return result

    def weight(self, name):
        return self.constant(name, self.tensors[name])

    def number(self, value):
        return self.constant(f"number {value}", np.float32(value))

    def integers(self, *values):
        return self.constant(f"integers {values}", np.array(values, np.int64))

    def constant(self, name, array):
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.asarray(array), name)
        return name
