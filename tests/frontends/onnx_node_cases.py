"""One of ONNX's node tests through the whole stack, and all of them against the list of gaps.

Operands that decide shapes are inputs in these tests; an IPU program needs them constant, so where
a model is refused for that, all inputs but the first become initializers, and then the first too.
"""

import ml_dtypes
import numpy as np
import onnx
from onnx import numpy_helper
from onnx_node_gaps import reason

from odla_ipu.errors import UnsupportedOp
from odla_ipu.frontends.onnx import backend


def tensors(files):
    """Inputs and outputs of a case from the content of the files that hold them, by name."""
    return [_tensors(files, kind) for kind in ("input", "output")]


def _tensors(files, kind):
    count = sum(name.startswith(f"{kind}_") for name in files)
    return [onnx.TensorProto.FromString(files[f"{kind}_{index}.pb"]) for index in range(count)]


def _as_array(given, declared):
    array = numpy_helper.to_array(given) if hasattr(given, "data_type") else np.asarray(given)
    if declared.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16:
        return array.view(ml_dtypes.bfloat16)  # older versions of onnx keep it as UINT16
    return array


def _with_constants(model, arrays, first):
    """The model with the inputs from index ``first`` on as initializers."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for value, array in list(zip(changed.graph.input, arrays))[first:]:
        changed.graph.initializer.append(numpy_helper.from_array(array, value.name))
    return changed


def _run(case, arrays, device):
    """The outputs, and how many of the inputs were left as inputs."""
    for first in (len(arrays), 1, 0):
        model = _with_constants(case.model, arrays, first)
        try:
            return backend.prepare(model, device).run(arrays[:first]), first
        except UnsupportedOp as error:
            if first == 0 or "at run time" not in str(error):
                raise
    raise AssertionError("not reached")


def _tolerances(types):
    """float16 is rounded after every op, as on an IPU.

    bfloat16, 8 times as coarse, is rounded after every op by ONNX, and was cut off by older ones.
    """
    if "bfloat16" in types:
        return 4e-2, 1.6e-2
    return (5e-3, 2e-3) if "float16" in types else (1e-3, 1e-5)


def check(case, device):
    """Run the case and compare; returns whether any input was left as an input."""
    for inputs, outputs in case.data_sets:
        graph = case.model.graph
        arrays = [_as_array(*pair) for pair in zip(inputs, graph.input)]
        results, left = _run(case, arrays, device)
        assert len(results) == len(outputs)
        for got, reference in zip(results, map(_as_array, outputs, graph.output)):
            assert got.shape == reference.shape
            assert got.dtype == reference.dtype
            types = {one.dtype.name for one in arrays}
            if reference.dtype.name == "bfloat16":  # numpy sees no NaN in it
                types.add("bfloat16")
                got, reference = got.astype(np.float32), reference.astype(np.float32)
            rtol, atol = _tolerances(types)
            np.testing.assert_allclose(
                got, reference, rtol=max(case.rtol, rtol), atol=max(case.atol, atol)
            )
    return left > 0 or not arrays


def check_all(cases, device):
    """Run all; exactly those with a reason may fail.  Prints and returns how many pass."""
    passing, folded, wrong = 0, 0, []
    for case in cases:
        why = reason(case)
        try:
            folded += not check(case, device)
        except Exception as error:
            if why is None:
                wrong.append(f"{case.name}: {type(error).__name__}: {str(error).strip()[:200]}")
            continue
        passing += 1
        if why is not None:
            wrong.append(f"{case.name} passes, though listed as a gap: {why}")
    print(f"{passing} of {len(cases)} pass, {folded} of them with all inputs constant")
    assert not wrong, "\n".join(wrong)
    return passing
