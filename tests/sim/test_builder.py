"""The builder: ids, scopes, attributes, refusals, models and external data."""

import inspect
import time

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from odla_ipu.sim import operators
from odla_ipu.sim.builder import ALIGNMENT, Builder
from odla_ipu.sim.dataflow import InputSettings
from odla_ipu.sim.debug import DebugContext
from odla_ipu.sim.enums import (
    DataType,
    InitType,
    RecomputeType,
    ReductionType,
    ReplicatedStreamMode,
    ScatterReduction,
    TensorStorage,
)
from odla_ipu.sim.exceptions import popart_exception
from odla_ipu.sim.nodes import NUMPY_TYPES
from odla_ipu.sim.options import TensorLocation
from odla_ipu.sim.tensorinfo import TensorInfo

OPSETS = {"ai.onnx": 11, "ai.graphcore": 1}


@pytest.fixture
def builder():
    return Builder(opsets=OPSETS)


def model_of(builder):
    return onnx.load_from_string(builder.getModelProto())


def attributes_of(builder, output):
    (node,) = [node for node in model_of(builder).graph.node if output in node.output]
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


class TestIds:
    def test_defaults(self, builder):
        info = TensorInfo("FLOAT", [2])
        assert builder.addInputTensor(info) == "input"
        assert builder.addInputTensor(info) == "input/1"
        assert builder.addInputTensor("FLOAT", [2]) == "input/2"
        assert builder.addInitializedInputTensor(np.zeros(2, np.float32)) == "init_input"
        assert builder.addInitializedInputTensor(np.zeros(2, np.float32)) == "init_input/1"

    def test_debug_context_names_inputs(self, builder):
        assert builder.addInputTensor("FLOAT", [2], "x") == "x"
        assert builder.addInputTensor("FLOAT", [2], debugContext=DebugContext("x")) == "x/1"
        assert builder.addInitializedInputTensor(np.zeros(2, np.int32), "w") == "w"

    def test_outputs_are_named_by_op(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        assert builder.aiOnnx.add([x, x], debugContext="mine") == "Add:0"
        assert builder.aiOnnx.add([x, x]) == "Add:0/1"
        assert builder.aiOnnx.split([x], 2) == ["Split:0", "Split:1"]
        assert builder.aiOnnx.split([x], 2) == ["Split:0/1", "Split:1/1"]
        assert builder.aiGraphcore.gelu([x]) == "Gelu:0"
        assert model_of(builder).graph.node[0].name == "mine"

    def test_name_scopes(self, builder):
        with builder.nameScope("a"), builder.nameScope("b"):
            assert builder.getNameScope("c") == "a/b/c"
            x = builder.addInputTensor("FLOAT", [4])
            assert x == "a/b/input"
            assert builder.aiOnnx.relu([x], "r") == "a/b/Relu:0"
        assert builder.getNameScope() == ""
        assert builder.aiOnnx.relu([x]) == "Relu:0"
        assert model_of(builder).graph.node[0].name == "a/b/r"

    def test_scope_closes_after_an_error(self, builder):
        with pytest.raises(popart_exception), builder.nameScope("a"):
            builder.aiOnnx.relu(["nothing"])
        assert builder.getNameScope() == ""

    def test_children_share_ids(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        child = builder.createSubgraphBuilder()
        assert child.addInputTensor("FLOAT", [4]) == "input/1"
        assert child.aiOnnx.relu([x]) == "Relu:0"
        assert builder.aiOnnx.relu([x]) == "Relu:0/1"


class TestOpsets:
    def test_default_is_10(self):
        builder = Builder()
        x = builder.addInputTensor("FLOAT", [4])
        builder.addOutputTensor(builder.aiOnnx.relu([x]))
        assert [(e.domain, e.version) for e in model_of(builder).opset_import] == [("", 10)]

    def test_first_accessor_chooses(self):
        builder = Builder()
        assert builder.aiOnnxOpset9.version == 9
        assert builder.aiOnnx.version == 9
        with pytest.raises(RuntimeError, match="opset 9"):
            builder.aiOnnxOpset11  # noqa: B018

    def test_opsets_choose(self, builder):
        assert builder.aiOnnx.version == 11
        with pytest.raises(RuntimeError):
            builder.aiOnnxOpset10  # noqa: B018

    def test_both_domains_are_needed(self):
        with pytest.raises(KeyError, match="ai.graphcore"):
            Builder(opsets={"ai.onnx": 11})

    @pytest.mark.parametrize("version", [5, 12])
    def test_no_other_opset(self, version):
        with pytest.raises(AttributeError):
            Builder(opsets={"ai.onnx": version, "ai.graphcore": 1})
        with pytest.raises(AttributeError):
            getattr(Builder(), f"aiOnnxOpset{version}")

    def test_mixing_is_refused(self):
        builder = Builder()
        x = builder.addInputTensor("FLOAT", [4])
        builder.aiOnnx.relu([x])
        with pytest.raises(popart_exception, match="Invalid opset"):
            builder.aiOnnxOpset11.relu([x])

    def test_graphcore_is_imported_when_used(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        builder.addOutputTensor(builder.aiGraphcore.gelu([x]))
        entries = {e.domain: e.version for e in model_of(builder).opset_import}
        assert entries == {"": 11, "ai.graphcore": 1}


class TestRefusals:
    def test_number_of_inputs(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        with pytest.raises(popart_exception, match="has invalid number of inputs"):
            builder.aiOnnx.add([x])
        with pytest.raises(popart_exception, match="has invalid number of inputs"):
            builder.aiOnnx.relu([x, x])

    def test_unknown_tensor(self, builder):
        with pytest.raises(popart_exception, match="Unknown tensor 'nothing'"):
            builder.aiOnnx.relu(["nothing"])
        with pytest.raises(popart_exception, match="Unknown tensor 'nothing'"):
            builder.getTensorShape("nothing")

    def test_optional_inputs(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        top = builder.aiOnnx.constant(np.float32(1))
        assert builder.aiOnnx.clip([x, "", top])
        with pytest.raises(popart_exception, match="Unknown tensor ''"):
            builder.aiOnnx.add([x, ""])

    def test_resize_without_scales(self, builder):
        x = builder.addInputTensor("FLOAT", [1, 1, 2, 2])
        roi = builder.aiOnnx.constant(np.zeros(0, np.float32))
        sizes = builder.aiOnnx.constant(np.array([1, 1, 4, 6], np.int64))
        y = builder.aiOnnx.resize([x, roi, "", sizes])
        assert builder.getTensorShape(y) == [1, 1, 4, 6]

    def test_negative_dimension(self, builder):
        x = builder.addInputTensor("FLOAT", [1, 1, 2, 2])
        w = builder.addInitializedInputTensor(np.zeros((1, 1, 5, 5), np.float32))
        with pytest.raises(popart_exception, match="has invalid shape"):
            builder.aiOnnx.conv([x, w])

    @pytest.mark.parametrize("dtype", [np.float64, np.complex64, object])
    def test_initializer_types(self, builder, dtype):
        with pytest.raises(popart_exception, match="Unsupported data type"):
            builder.addInitializedInputTensor(np.zeros(2, dtype))

    @pytest.mark.parametrize("dtype", [dtype.name for dtype in NUMPY_TYPES])
    def test_accepted_initializer_types(self, builder, dtype):
        array = np.array([[0, 1], [1, 0]], dtype)
        w = builder.addInitializedInputTensor(array.T)
        assert builder.getTensorDtypeString(w) == dtype
        stored = numpy_helper.to_array(model_of(builder).graph.initializer[0])
        np.testing.assert_array_equal(stored, array.T)
        assert stored.dtype == dtype

    def test_wrong_argument_types(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        with pytest.raises(TypeError, match="incompatible arguments"):
            builder.aiOnnx.relu(x)
        with pytest.raises(TypeError, match="incompatible arguments"):
            builder.aiOnnx.concat([x, x], axis=1.5)
        with pytest.raises(TypeError, match="incompatible arguments"):
            builder.aiOnnx.relu([x], nothing=1)
        with pytest.raises(TypeError):
            builder.aiGraphcore.l1loss([x], 0.1, "Mean")

    def test_untyped_input_of_the_main_graph(self, builder):
        with pytest.raises(popart_exception, match="subgraphs"):
            builder.addUntypedInputTensor()

    def test_parent_tensor(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        child = builder.createSubgraphBuilder()
        child.addInputTensorFromParentGraph(x)
        with pytest.raises(popart_exception, match="enclosing"):
            child.addInputTensorFromParentGraph("nothing")
        with pytest.raises(popart_exception, match="enclosing"):
            builder.addInputTensorFromParentGraph(x)

    def test_unnamed_callee(self, builder):
        child = builder.createSubgraphBuilder()
        with pytest.raises(popart_exception, match="no name"):
            builder.aiGraphcore.call([], 1, child)

    def test_shapes_that_do_not_broadcast_are_left_to_the_session(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        y = builder.addInputTensor("FLOAT", [3])
        z = builder.aiOnnx.add([x, y])
        with pytest.raises(popart_exception, match="unknown"):
            builder.getTensorShape(z)

    def test_unknown_cast_target(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        with pytest.raises(popart_exception, match="FLOAT32"):
            builder.aiOnnx.cast([x], "FLOAT32")


class TestAttributes:
    def test_defaults_are_written(self, builder):
        x = builder.addInputTensor("FLOAT", [1, 2, 4, 4])
        y = builder.aiOnnx.leakyrelu([x])
        assert attributes_of(builder, y) == {"alpha": pytest.approx(0.01)}
        (z,) = builder.aiOnnx.maxpool([x], 1, [2, 2])
        assert attributes_of(builder, z) == {
            "kernel_shape": [2, 2],
            "ceil_mode": 0,
            "storage_order": 0,
        }
        s = builder.aiOnnx.reducesum([x])
        assert attributes_of(builder, s) == {"keepdims": 1}

    def test_encodings(self, builder):
        x = builder.addInputTensor("FLOAT", [4, 3])
        assert attributes_of(builder, builder.aiOnnx.cast([x], "FLOAT16")) == {"to": 10}
        loss = builder.aiGraphcore.l1loss([x], 0.5, ReductionType.NoReduction)
        assert attributes_of(builder, loss) == {"lambda": 0.5, "reduction": b"None"}
        loss = builder.aiGraphcore.identityloss([x])
        assert attributes_of(builder, loss) == {"reduction": b"Mean"}
        labels = builder.addInputTensor("INT32", [4])
        loss = builder.aiGraphcore.nllloss([x, labels], ReductionType.Sum, ignoreIndex=-1)
        assert attributes_of(builder, loss) == {
            "reduction": b"Sum",
            "ignoreIndex": -1,
            "inputIsLogProbability": 0,
        }
        indices = builder.addInputTensor("INT32", [4])
        out = builder.aiGraphcore.scatterreduce(
            [x, indices], 5, axis=0, reduction=ScatterReduction.Max
        )
        assert attributes_of(builder, out)["reduction"] == ScatterReduction.Max.value
        out = builder.aiGraphcore.scatterreduce([x, indices], 5, axis=0)
        assert attributes_of(builder, out)["reduction"] == 0
        made = builder.aiGraphcore.init([2], DataType.UINT32, InitType.Zero, "zeros")
        assert attributes_of(builder, made) == {"shape": [2], "data_type": 12, "init_type": 1}
        assert builder.getTensorDtypeString(made) == "uint32"

    def test_lambda_by_keyword(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        loss = builder.aiGraphcore.l1loss([x], **{"lambda": 0.25})
        assert attributes_of(builder, loss)["lambda"] == 0.25

    def test_multiconv(self, builder):
        x = builder.addInputTensor("FLOAT", [1, 2, 5, 5])
        w = builder.addInitializedInputTensor(np.zeros((4, 1, 3, 3), np.float32))
        b = builder.addInitializedInputTensor(np.zeros(4, np.float32))
        outputs = builder.aiGraphcore.multiconv(
            [[x, w], [x, w, b]], pads=[[0, 0, 0, 0], [1, 1, 1, 1]]
        )
        assert [builder.getTensorShape(name) for name in outputs] == [[1, 4, 3, 3], [1, 4, 5, 5]]
        assert attributes_of(builder, outputs[0])["numInputs"] == [2, 3]
        with pytest.raises(popart_exception, match="2 convolutions"):
            builder.aiGraphcore.multiconv([[x, w], [x, w]], pads=[[0, 0, 0, 0]])
        with pytest.raises(popart_exception, match="has invalid number of inputs"):
            builder.aiGraphcore.multiconv([[x]])

    def test_set_and_get(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        y = builder.aiOnnx.relu([x])
        values = {"i": 3, "is": [1, 2], "f": 0.5, "fs": [0.5, 1.5], "s": "a", "ss": ["a", "b"]}
        for name, value in values.items():
            builder.addNodeAttribute(name, value, {y})
        assert builder.getInt64NodeAttribute("i", {y}) == 3
        assert builder.getInt64VectorNodeAttribute("is", {y}) == [1, 2]
        assert builder.getFloatNodeAttribute("f", {y}) == 0.5
        assert builder.getFloatVectorNodeAttribute("fs", {y}) == [0.5, 1.5]
        assert builder.getStringNodeAttribute("s", {y}) == "a"
        assert builder.getStringVectorNodeAttribute("ss", {y}) == ["a", "b"]
        assert builder.getAllNodeAttributeNames({y}) == sorted(values)
        with pytest.raises(popart_exception, match="another type"):
            builder.getFloatNodeAttribute("i", {y})
        with pytest.raises(popart_exception, match="Node already has attribute"):
            builder.addNodeAttribute("i", 4, {y})
        builder.removeNodeAttribute("i", {y})
        assert not builder.nodeHasAttribute("i", {y})
        with pytest.raises(popart_exception, match="does not have"):
            builder.removeNodeAttribute("i", {y})

    def test_all_outputs_are_needed(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        first, second = builder.aiOnnx.split([x], 2)
        with pytest.raises(popart_exception, match="Could not find a node with outputs"):
            builder.virtualGraph(first, 1)
        builder.virtualGraph({first, second}, 1)
        assert builder.getVirtualGraph([first, second]) == 1
        with pytest.raises(popart_exception, match="Could not find a node with outputs"):
            builder.pipelineStage(x, 1)

    def test_scopes_annotate(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        with builder.virtualGraph(2), builder.pipelineStage(3), builder.schedulePriority(1.5):
            assert builder.getVirtualGraph() == 2
            assert builder.getPipelineStage() == 3
            with builder.virtualGraph(5):
                inner = builder.aiOnnx.relu([x])
            y = builder.aiOnnx.relu([x])
        with builder.recomputeOutput(RecomputeType.Checkpoint), builder.executionPhase(4):
            z = builder.aiOnnx.relu([x])
        with builder.outlineAttributes({"a": "b"}):
            o = builder.aiOnnx.relu([x])
        assert attributes_of(builder, inner)["__ipu_number"] == 5
        assert attributes_of(builder, y) == {
            "__ipu_number": 2,
            "__pipeline_stage": 3,
            "__schedule_priority": 1.5,
        }
        assert attributes_of(builder, z) == {
            "__recompute_output_in_backward_pass": RecomputeType.Checkpoint.value,
            "__execution_phase": 4,
        }
        assert attributes_of(builder, o) == {"__outline": [b"a", b"b"]}
        assert not builder.hasVirtualGraph()
        with pytest.raises(popart_exception):
            builder.getVirtualGraph()

    def test_named_attributes(self, builder):
        x = builder.addInputTensor("FLOAT", [4, 4])
        y = builder.aiOnnx.matmul([x, x])
        assert builder.getPartialsType(y) == "FLOAT"
        builder.setPartialsType(y, "HALF")
        builder.setAvailableMemoryProportion(y, 0.25)
        builder.setSerializeMatMul({y}, "output_channels", 2, True)
        builder.outputTensorLocation(y, TensorLocation(TensorStorage.OffChip))
        builder.recomputeOutputInBackwardPass(y)
        builder.setInplacePreferences(y, {"MatMulInplace": 2.0})
        builder.excludePatterns(y, ["PostNRepl"])
        builder.setEnableConvDithering(y, 1)
        assert builder.getPartialsType(y) == "HALF"
        assert builder.getRecomputeOutputInBackwardPass(y)
        written = attributes_of(builder, y)
        assert written["__available_memory"] == 0.25
        assert written["__serialize_matmul_mode"] == b"output_channels"
        assert written["__serialize_matmul_factor"] == 2
        assert written["__serialize_matmul_precision"] == 1
        assert written["__output_tensor_location"][0] == TensorStorage.OffChip.value
        assert written["__inplace_op_names"] == [b"MatMulInplace"]
        assert written["__exclude_patterns"] == [b"PostNRepl"]
        assert written["__enable_conv_dithering"] == 1

    @pytest.mark.parametrize("proportion", [0, -0.5, 1.01])
    def test_memory_proportion(self, builder, proportion):
        y = builder.aiOnnx.relu([builder.addInputTensor("FLOAT", [4])])
        with pytest.raises(popart_exception, match=r"\(0, 1\]"):
            builder.setAvailableMemoryProportion(y, proportion)

    def test_custom_op(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        values = {"s": "a", "i": 2, "b": True, "f": 0.5, "is": [1, 2], "fs": [0.5]}
        (y,) = builder.customOp("Cube", 1, "com.acme", [x], values)
        assert y == "Cube:0"
        assert attributes_of(builder, y) == {**values, "s": b"a", "b": 1}
        with pytest.raises(popart_exception):
            builder.getTensorShape(y)
        outputs = builder.customOp("Cube", 1, "com.acme", [x], {}, numOutputs=2, name="n")
        assert len(outputs) == 2
        entries = {e.domain: e.version for e in model_of(builder).opset_import}
        assert entries["com.acme"] == 1
        for wrong in ([1, 0.5], ["a"], {"a": 1}, None):
            with pytest.raises(popart_exception, match="custom op"):
                builder.customOp("Cube", 1, "com.acme", [x], {"a": wrong})
        with pytest.raises(popart_exception, match="Unknown tensor"):
            builder.customOp("Cube", 1, "com.acme", ["nothing"], {})

    def test_checkpoint(self, builder):
        x = builder.addInputTensor("FLOAT", [4])
        (y,) = builder.checkpointOutput([x])
        assert builder.getTensorShape(y) == [4]
        assert model_of(builder).graph.node[0].op_type == "Identity"


class TestModels:
    def test_initializers_are_inputs(self, builder):
        x = builder.addInputTensor("FLOAT16", [2, 3], "x")
        w = builder.addInitializedInputTensor(np.ones((3, 1), np.float16), "w")
        y = builder.aiOnnx.matmul([x, w])
        builder.addOutputTensor(y)
        model = model_of(builder)
        onnx.checker.check_model(model, full_check=True)
        assert [value.name for value in model.graph.input] == ["x", "w"]
        assert [value.name for value in model.graph.initializer] == ["w"]
        assert builder.getInputTensorIds() == ["x", "w"]
        assert builder.getOutputTensorIds() == [y]
        assert builder.getValueTensorIds() == []
        assert builder.getTrainableTensorIds() == ["w"]
        assert builder.isInitializer("w")
        assert not builder.isInitializer("x")

    def test_scalars_and_empty_tensors(self, builder):
        s = builder.addInitializedInputTensor(np.array(2.5, np.float32))
        e = builder.addInitializedInputTensor(np.zeros((0, 3), np.float32))
        assert builder.getTensorShape(s) == []
        assert builder.getTensorShape(e) == [0, 3]
        builder.addOutputTensor(builder.aiOnnx.add([s, e]))
        model = model_of(builder)
        onnx.checker.check_model(model)
        assert model.graph.output[0].type.tensor_type.HasField("shape")
        assert [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim] == [0, 3]

    def test_later_changes_of_the_array_have_no_effect(self, builder):
        array = np.zeros(3, np.float32)
        builder.addInitializedInputTensor(array)
        array[:] = 7
        np.testing.assert_array_equal(
            numpy_helper.to_array(model_of(builder).graph.initializer[0]), np.zeros(3)
        )

    def test_read_only_arrays_are_not_copied(self, builder):
        array = np.zeros(3, np.float32)
        array.flags.writeable = False
        w = builder.addInitializedInputTensor(array)
        assert builder._graph.initializers[w].data is array

    def test_save_and_load(self, builder, tmp_path):
        x = builder.addInputTensor("FLOAT", [2, 3], "x")
        with builder.virtualGraph(1):
            y = builder.aiGraphcore.gelu([x])
        z = builder.aiOnnx.constant(np.array([3, 2], np.int64))
        r = builder.aiOnnx.reshape([y, z])
        builder.addOutputTensor(r)
        path = str(tmp_path / "model.onnx")
        builder.saveModelProto(path)
        for source in (path, builder.getModelProto()):
            loaded = Builder(source)
            assert loaded.getTensorShape(r) == [3, 2]
            assert loaded.getVirtualGraph(y) == 1
            assert loaded.aiOnnx.version == 11
            assert loaded.aiOnnx.relu([r]) == "Relu:0"
            assert loaded.aiGraphcore.gelu([r]) == "Gelu:0/1"

    def test_saving_checks(self, builder, tmp_path):
        x = builder.addInputTensor("FLOAT", [2])
        (y,) = builder.customOp("Relu", 1, "ai.onnx", [x, x], {})
        builder.addOutputTensor(y)
        with pytest.raises(popart_exception, match="not valid ONNX"):
            builder.saveModelProto(str(tmp_path / "model.onnx"))

    @pytest.mark.parametrize("opset", [5, 12, 17])
    def test_loading_limits_the_opset(self, opset):
        value = onnx.helper.make_tensor_value_info("x", 1, [1])
        out = onnx.helper.make_tensor_value_info("y", 1, [1])
        node = onnx.helper.make_node("Neg", ["x"], ["y"])
        graph = onnx.helper.make_graph([node], "g", [value], [out])
        model = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=6
        )
        with pytest.raises(popart_exception, match="Encountered ONNX opset version"):
            Builder(model.SerializeToString())

    def test_loading_what_is_no_model(self, tmp_path):
        with pytest.raises(popart_exception, match="no file"):
            Builder(str(tmp_path / "nothing.onnx"))
        with pytest.raises(popart_exception):
            Builder(b"\xff\xfe nothing")

    def test_input_settings_are_metadata(self, builder):
        builder.addInputTensor(
            "FLOAT", [2], InputSettings(ReplicatedStreamMode.Broadcast), debugContext="x"
        )
        builder.addInputTensor(TensorInfo("FLOAT", [2]), InputSettings())
        entries = {entry.key: entry.value for entry in model_of(builder).metadata_props}
        assert entries == {"replicatedStreamMode/x": str(ReplicatedStreamMode.Broadcast.value)}

    def test_ten_thousand_nodes_are_linear(self):
        def seconds(count):
            builder = Builder(opsets=OPSETS)
            x = builder.addInputTensor("FLOAT", [2])
            start = time.process_time()
            for _ in range(count):
                x = builder.aiOnnx.add([x, x])
            builder.addOutputTensor(x)
            builder.getModelProto()
            return time.process_time() - start

        seconds(100)
        assert seconds(10000) < 1.5


class TestExternalData:
    def test_round_trip(self, builder, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        generator = np.random.default_rng(0)
        arrays = {
            "a": generator.standard_normal((3, 5)).astype(np.float32),
            "b": generator.integers(0, 9, 7).astype(np.int8),
            "c": np.array(0.5, np.float16),
            "d": np.zeros((0, 2), np.float32),
        }
        for name, array in arrays.items():
            builder.addInitializedInputTensor(array, name)
        y = builder.aiOnnx.relu(["a"])
        builder.addOutputTensor(y)
        builder.saveInitializersExternally(["a", "b"], "weights.bin")
        builder.saveInitializersExternally(["c", "d"], "weights.bin")
        builder.saveModelProto("model.onnx")
        model = onnx.load("model.onnx")
        onnx.checker.check_model("model.onnx")
        for tensor in model.graph.initializer:
            np.testing.assert_array_equal(numpy_helper.to_array(tensor), arrays[tensor.name])
        raw = onnx.load("model.onnx", load_external_data=False)
        for tensor in raw.graph.initializer:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            assert entries["location"] == "weights.bin"
            assert int(entries["offset"]) % ALIGNMENT == 0
            assert int(entries["length"]) == arrays[tensor.name].nbytes

    def test_arrays_are_freed(self, builder, tmp_path):
        w = builder.addInitializedInputTensor(np.zeros(1000, np.float32))
        builder.saveInitializersExternally([w], str(tmp_path / "w.bin"))
        assert not isinstance(builder._graph.initializers[w].data, np.ndarray)
        assert len(builder.getModelProto()) < 1000

    def test_saved_shapes_are_still_known(self, builder, tmp_path):
        x = builder.addInputTensor("FLOAT", [4])
        shape = builder.addInitializedInputTensor(np.array([2, 2], np.int64))
        builder.saveInitializersExternally([shape], str(tmp_path / "w.bin"))
        assert builder.getTensorShape(builder.aiOnnx.reshape([x, shape])) == [2, 2]

    def test_a_new_builder_overwrites(self, tmp_path):
        path = tmp_path / "w.bin"
        for value in (1, 2):
            builder = Builder()
            w = builder.addInitializedInputTensor(np.full(3, value, np.int32))
            builder.saveInitializersExternally([w], str(path))
            np.testing.assert_array_equal(np.fromfile(str(path), "<i4"), [value] * 3)

    def test_refusals(self, builder, tmp_path):
        path = str(tmp_path / "w.bin")
        x = builder.addInputTensor("FLOAT", [4])
        w = builder.addInitializedInputTensor(np.zeros(2, np.float32))
        with pytest.raises(popart_exception, match="not an initializer"):
            builder.saveInitializersExternally([x], path)
        with pytest.raises(popart_exception, match="more than once"):
            builder.saveInitializersExternally([w, w], path)
        builder.saveInitializersExternally([w], path)
        with pytest.raises(popart_exception, match="before"):
            builder.saveInitializersExternally([w], path)


class TestSubgraphs:
    def test_if(self, builder):
        x = builder.addInputTensor("FLOAT", [3])
        condition = builder.addInputTensor("BOOL", [])
        branches = []
        for method in ("relu", "neg"):
            branch = builder.createSubgraphBuilder()
            branch.addOutputTensor(getattr(branch.aiOnnx, method)([x]))
            branches.append(branch)
        (y,) = builder.aiOnnx.logical_if([condition], 1, branches[0], branches[1], name="if")
        builder.addOutputTensor(y)
        assert builder.getTensorShape(y) == [3]
        onnx.checker.check_model(model_of(builder), full_check=True)

    def test_loop(self, builder):
        x = builder.addInputTensor("FLOAT", [3])
        trips = builder.aiOnnx.constant(np.array(4, np.int64))
        start = builder.aiOnnx.constant(np.array(True))
        body = builder.createSubgraphBuilder()
        body.addInputTensor("INT64", [])
        proceed = body.addInputTensor("BOOL", [])
        value = body.addInputTensor("FLOAT", [3])
        result = body.aiOnnx.add([value, x])
        kept = body.aiOnnx.identity([proceed])
        scanned = body.aiOnnx.reducesum([result], keepdims=0)
        for output in (kept, result, scanned):
            body.addOutputTensor(output)
        y, all_sums = builder.aiOnnx.loop([trips, start, x], 2, body)
        assert builder.getTensorShape(y) == [3]
        assert builder.getTensorShape(all_sums) == [4]
        builder.addOutputTensor(all_sums)
        onnx.checker.check_model(model_of(builder))

    def test_call(self, builder):
        callee = builder.createSubgraphBuilder()
        value = callee.addInputTensor("FLOAT", [3])
        callee.addOutputTensor(callee.aiGraphcore.gelu([value]))
        callee.setGraphName("block")
        x = builder.addInputTensor("FLOAT", [3])
        (y,) = builder.aiGraphcore.call([x], 1, callee)
        assert builder.getTensorShape(y) == [3]
        builder.addOutputTensor(y)
        model = model_of(builder)
        assert model.graph.node[0].attribute[0].g.name == "block"
        assert Builder(model.SerializeToString()).getTensorShape(y) == [3]

    def test_untyped_inputs(self, builder):
        callback = builder.createSubgraphBuilder()
        value = callback.addUntypedInputTensor()
        y = callback.aiOnnx.relu([value])
        callback.addOutputTensor(y)
        with pytest.raises(popart_exception):
            callback.getTensorShape(y)


ACCESSORS = [("ai.onnx", version) for version in range(6, 12)] + [("ai.graphcore", 1)]


class TestMethods:
    @pytest.mark.parametrize("domain, version", ACCESSORS)
    def test_every_method_adds_its_op(self, domain, version):
        for method, operator in operators.methods(domain, version).items():
            builder = Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
            if domain == "ai.onnx":
                builder.aiOnnxOpsetVersion(version)
            opset = builder.aiOnnx if domain == "ai.onnx" else builder.aiGraphcore
            x = builder.addInputTensor("FLOAT", [2, 3, 4, 4])
            function = getattr(opset, method)
            result = function(*self.arguments(builder, operator, x))
            assert isinstance(result, list if operator.returns_list else (str, type(None)))
            node = builder._graph.nodes[-1]
            assert node.op_type == operator.op_type
            assert node.domain == ("" if domain == "ai.onnx" else domain)

    @staticmethod
    def arguments(builder, operator, x):
        """Values for the required arguments in order."""
        body = builder.createSubgraphBuilder()
        body.addOutputTensor(body.aiGraphcore.nop([x]))
        body.setGraphName("body")
        values = {
            "int": 1,
            "ints": [1, 1],
            "float": 1.0,
            "floats": [1.0],
            "string": "FLOAT",
            "tensor": np.ones(1, np.float32),
            "graph": body,
            "element_type": 1,
        }
        arguments = []
        if operator.inputs != (0, 0):
            count = max(operator.inputs[0], 1)
            arguments.append([[x, x]] if operator.op_type == "MultiConv" else [x] * count)
        if operator.variadic:
            arguments.append(1)
        for attribute in operator.attributes:
            if attribute.default is operators.REQUIRED:
                arguments.append(values[attribute.kind])
        return arguments

    def test_signatures(self):
        builder = Builder(opsets=OPSETS)
        assert str(inspect.signature(builder.aiOnnx.conv)) == (
            "(args, dilations=[], group=1, kernel_shape=[], pads=[], strides=[], debugContext='')"
        )
        gelu = inspect.signature(builder.aiGraphcore.slice)
        assert list(gelu.parameters) == ["args", "ends", "starts", "axes", "debugContext"]
        names = list(inspect.signature(builder.aiOnnx.logical_if).parameters)
        assert names == ["args", "num_outputs", "else_branch", "then_branch", "name"]
        names = list(inspect.signature(builder.aiGraphcore.printtensor).parameters)
        assert names[:4] == ["args", "print_gradient", "debugContext", "title"]
        assert "debugPrefix" in inspect.signature(builder.aiGraphcore.tensorremap).parameters

    def test_number_of_methods(self):
        counts = {v: len(operators.methods("ai.onnx", v)) for v in range(6, 12)}
        assert counts[6] == 95
        assert counts[10] == 137
        assert len(operators.methods("ai.graphcore", 1)) == 58

    def test_lookup(self):
        assert operators.lookup("", "Conv", 10).since == 1
        assert operators.lookup("ai.onnx", "Conv", 11).since == 11
        assert operators.lookup("ai.onnx", "Einsum", 11) is None
        assert operators.lookup("com.acme", "Conv", 1) is None
        assert not operators.lookup("", "NonZero", 11).implemented
        assert operators.implemented_versions("", "PRelu") == [9]
        assert operators.implemented_versions("", "NonZero") == []
