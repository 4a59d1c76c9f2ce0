"""The native module with the ops of ai.onnx opset 6: nothing but what popart has."""

from popart import *  # noqa: F403
