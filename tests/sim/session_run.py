"""Builds a model with a function, runs it in a session, returns the anchors' arrays."""

import numpy as np

from odla_ipu import sim as popart


def session_of(make, inputs, opset=11, options=None, bps=1, returns="All", device=None):
    """A prepared session. ``make(builder, ops, ids)`` returns an output id or a list of them."""
    builder = popart.Builder(opsets={"ai.onnx": opset, "ai.graphcore": 1})
    ids = [
        builder.addInputTensor(popart.TensorInfo(array.dtype, array.shape), name)
        for name, array in inputs.items()
    ]
    made = make(builder, getattr(builder, f"aiOnnxOpset{opset}"), ids)
    outputs = [made] if isinstance(made, str) else list(made)
    art = popart.AnchorReturnType(*([returns] if isinstance(returns, str) else returns))
    session = popart.InferenceSession(
        builder.getModelProto(),
        popart.DataFlow(bps, dict.fromkeys(outputs, art)),
        device or popart.DeviceManager().createCpuDevice(),
        userOptions=options or popart.SessionOptions(),
    )
    session.prepareDevice()
    return session, ids, outputs


def run(make, inputs, opset=11, options=None):
    """Outputs of one run, as a list."""
    session, ids, outputs = session_of(make, inputs, opset, options)
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO(dict(zip(ids, inputs.values())), anchors))
    return [anchors[name] for name in outputs]


def constant(builder, ops, values, dtype=None):
    return ops.constant(np.asarray(values, dtype), False)
