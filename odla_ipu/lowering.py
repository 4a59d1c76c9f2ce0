"""From a graph of ODLA ops to PopART's builder: one pass over the nodes, one rule per op.

Rules call the builder through :class:`Lowering`, which turns values into tensor ids and names every
PopART node after the ODLA op it comes from.
"""

import contextlib
import warnings
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Type, Union

import numpy as np

from .custom import Kernel, popart_attributes
from .errors import InternalError, OdlaError
from .graph import Graph, Value, Variable
from .registry import Op
from .types import ElementType, ValueType

OPSETS = {"ai.onnx": 11, "ai.graphcore": 1}

DETACHED = 1 << 16
"""From this many bytes on constants are initialised tensors in training, too: those can lie in a
file beside the model."""

Tensor = str
"""PopART's id of a tensor."""


class Lowering:
    """What a rule sees of PopART: ``b.onnx.conv([x, w], group=1)``, ``b.graphcore.gelu([x])``.

    Operands may be values of the graph or tensors made by earlier calls; attributes are keywords.
    ``arguments`` and ``outputs`` map the names of the graph to tensor ids; outputs that no op
    computes (arguments, constants) are left out, and so are arguments that no op reads.
    ``builder`` is that of the whole model, ``inner`` that of the body being lowered.  ``counts``
    maps a tensor whose size depends on data to the one that counts its entries.  ``trained`` are
    the weights that variables are in training.  ``kernels`` are those that the model uses;
    ``provide`` is called for each before its first use.
    """

    def __init__(
        self, graph: Graph, popart: Any, provide: Optional[Callable[[Type[Kernel]], None]] = None
    ):
        self.popart = popart
        self.builder = popart.Builder(opsets=OPSETS)
        self.arguments: Dict[str, Tensor] = {}
        self.outputs: Dict[str, Tensor] = {}
        self.initializers: Dict[Tensor, int] = {}
        self.counts: Dict[Tensor, Tensor] = {}
        self.trained: Dict[str, Tensor] = {}
        self.kernels: Dict[str, Type[Kernel]] = {}
        self.node_id = ""
        self._provide = provide
        self._graph = graph
        self._training = False
        self._stopped = False
        """Whether the node being lowered uses a kernel that gradients do not pass."""
        self._tensors: Dict[Value, Tensor] = {}
        self._names: Dict[str, int] = {}
        self._enter(self.builder)

    def _enter(self, builder: Any) -> None:
        """Have the following calls go to ``builder``."""
        self.inner = builder
        self.onnx = _Opset(self, builder.aiOnnxOpset11)
        self.graphcore = _Opset(self, builder.aiGraphcore)
        self._constants: Dict[Tuple[str, Tuple[int, ...], bytes], Tensor] = {}

    @contextlib.contextmanager
    def body(self, graph: Graph) -> Iterator[Any]:
        """A builder for a graph inside another; until the end of the context rules call that one.

        It reads tensors of the builders around it by name, but rules' constants are made anew:
        PopART must see shapes as constants in there too.
        """
        outside = self.inner, self.onnx, self.graphcore, self._constants, self.node_id
        builder = self.inner.createSubgraphBuilder()
        count = self._names[graph.name] = self._names.get(graph.name, -1) + 1
        builder.setGraphName(f"{graph.name}/{count}" if count else graph.name)
        self._enter(builder)
        yield builder
        self.inner, self.onnx, self.graphcore, self._constants, self.node_id = outside

    def argument(self, type: ValueType, name: str) -> Tensor:
        """A new input of the builder being called."""
        info = self.popart.TensorInfo(type.element_type.popart, list(type.dims))
        return self.inner.addInputTensor(info, debugContext=_unreserved(name))

    def bind(self, value: Value, tensor: Tensor) -> None:
        """Have ``tensor`` stand for an argument of a body."""
        self._tensors[value] = tensor

    def nodes(self, graph: Graph) -> None:
        """Lower what the outputs of ``graph`` need."""
        around = self.node_id
        for node in graph.used_nodes():
            self._lower_node(node)  # type: ignore[arg-type]
        self.node_id = around

    def tensor(self, value: Union[Value, Tensor]) -> Tensor:
        """The tensor that holds ``value``; arguments and constants are added when first read."""
        if isinstance(value, str):
            return value
        known = self._tensors.get(value)
        if known is not None:
            return known
        if value.data is not None:
            tensor = self.initializer(value.data, value.id)
        elif self._training and isinstance(value, Variable) and value.element_type.is_float:
            numbers = value.storage.fetch().astype(value.element_type.dtype)
            tensor = self.trained[value.id] = self._initialised(numbers, value.id)
        elif value.node is None:
            info = self.popart.TensorInfo(value.element_type.popart, list(value.dims))
            tensor = self.builder.addInputTensor(info, debugContext=_unreserved(value.id))
            self.arguments[value.id] = tensor
        else:
            raise InternalError(f"'{value.id}' is read before '{value.node.where}' is lowered")
        self._tensors[value] = tensor
        return tensor

    def initializer(self, array: Any, name: str) -> Tensor:
        """A tensor of known data, such as a weight that a rule has rearranged.

        PopART trains all initialised tensors: there what is fixed is a constant, or detached.
        """
        if not self._training:
            return self._initialised(array, name)
        data = np.asarray(array)
        if data.nbytes < DETACHED:
            return self.builder.aiOnnxOpset11.constant(data, debugContext=_unreserved(name))
        return self.builder.aiGraphcore.detach([self._initialised(data, name)])

    def _initialised(self, array: Any, name: str) -> Tensor:
        data = np.ascontiguousarray(array).reshape(np.shape(array))
        data.flags.writeable = False  # a view or a new array; says that it need not be copied
        tensor = self.builder.addInitializedInputTensor(data, debugContext=_unreserved(name))
        self.initializers[tensor] = data.nbytes
        return tensor

    def constant(self, array: Any, dtype: Any = None) -> Tensor:
        """A constant made by a rule, such as the shape operand of Reshape."""
        data = np.ascontiguousarray(array, dtype).reshape(np.shape(array))
        key = (data.dtype.str, data.shape, data.tobytes())
        if key not in self._constants:
            self._constants[key] = self.onnx.constant(value=data)
        return self._constants[key]

    def ints(self, numbers: Sequence[int]) -> Tensor:
        """A rank-1 INT64 constant: shapes, repeats, starts and ends."""
        return self.constant(numbers, np.int64)

    def scalar(self, number: float, element_type: ElementType) -> Tensor:
        """A rank-0 constant of an element type."""
        return self.constant(np.asarray(number, element_type.dtype))

    def reshape(self, x: Union[Value, Tensor], dims: Sequence[int]) -> Tensor:
        return self.onnx.reshape([x, self.ints(dims)])

    def transpose(self, x: Union[Value, Tensor], permutation: Sequence[int]) -> Tensor:
        """``x``, transposed unless ``permutation`` changes nothing."""
        permutation = list(permutation)
        if permutation == list(range(len(permutation))):
            return self.tensor(x)
        return self.onnx.transpose([x], perm=permutation)

    def slice(
        self, x: Union[Value, Tensor], axis: int, start: int, end: int, step: int = 1
    ) -> Tensor:
        """ONNX Slice-11 along one axis."""
        operands = [x, self.ints([start]), self.ints([end]), self.ints([axis])]
        return self.onnx.slice(operands + [self.ints([step])])

    def cast(self, x: Union[Value, Tensor], element_type: ElementType) -> Tensor:
        return self.onnx.cast([x], to=element_type.popart)

    def binary(self, name: str, left: Any, right: Any) -> Tensor:
        """A two-operand ONNX op by its builder name, for rules that loop over operands."""
        return getattr(self.onnx, name)([left, right])

    def kernel(
        self, kernel: Type[Kernel], operands: Sequence[Any], **attributes: Any
    ) -> List[Tensor]:
        """The results of a kernel; absent operands are None, absent attributes have defaults."""
        self._stopped = self._training and not kernel.has_gradient
        if kernel.called not in self.kernels:
            self.kernels[kernel.called] = kernel
            if self._provide is not None:
                self._provide(kernel)
        return self.inner.customOp(
            opName=kernel.__name__,
            opVersion=kernel.version,
            domain=kernel.domain,
            inputs=["" if one is None else self.tensor(one) for one in operands],
            attributes=popart_attributes(kernel, attributes),
            numOutputs=kernel.results,
            name=self.node_id,
        )

    def run(self, training: bool) -> "Lowering":
        """Lower every node that an output needs."""
        self._training = training
        self.nodes(self._graph)
        for output in self._graph.outputs:
            if output.value.node is not None:
                self.outputs[output.name] = self._tensors[output.value]
        return self

    def _lower_node(self, node: Op) -> None:
        self.node_id = node.id
        self._stopped = False
        try:
            rule = node.lower_training if self._training else node.lower
            results = rule(self)
        except OdlaError:
            raise
        except self.popart.popart_exception as error:
            raise node.error(f"PopART refuses it: {error}") from error
        if self._stopped and any(value.element_type.is_float for value in node.outputs):
            warnings.warn(
                f"{node.where}: no gradient passes through it: variables are not trained by it",
                RuntimeWarning,
                stacklevel=2,
            )
        tensors = [results] if isinstance(results, str) else list(results)
        if len(tensors) < len(node.outputs) + (node.capacity() is not None):
            raise InternalError(
                f"{node.where}: the rule gave {len(tensors)} of {len(node.outputs)} results"
            )
        inputs = {self._tensors.get(operand) for operand in node.operands()}
        for value, tensor in zip(node.outputs, tensors):
            # A rule that changes nothing hands its operand through; results stay tensors of their
            # own, since PopART anchors computed tensors only.
            self._tensors[value] = self.onnx.identity([tensor]) if tensor in inputs else tensor
        if node.capacity() is not None:
            self.counts[self._tensors[node.outputs[0]]] = tensors[len(node.outputs)]


class _Opset:
    """One opset of the builder; attributes are its methods, taking values and tensors alike."""

    def __init__(self, lowering: Lowering, methods: Any):
        self._lowering = lowering
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        lowering = self._lowering
        method = getattr(self._methods, name)

        def call(operands: Optional[Sequence[Any]] = None, **attributes: Any) -> Any:
            attributes.setdefault("debugContext", lowering.node_id)
            if operands is None:
                return method(**attributes)
            return method([lowering.tensor(one) for one in operands], **attributes)

        # Kept on the instance: the next look-up of the same method costs nothing.
        self.__dict__[name] = call
        return call


def _unreserved(name: str) -> str:
    """``name``, changed where it could begin as PopART's own tensors do (``Gradient___``)."""
    return f"odla_{name}" if "___" in name or name.startswith("lossScaling_") else name


def lower(
    graph: Graph,
    popart: Any,
    training: bool = False,
    provide: Optional[Callable[[Type[Kernel]], None]] = None,
) -> Lowering:
    """Build ``graph`` with ``popart``'s Builder; ``provide`` makes a kernel known to it.

    All shapes must be known and all element types PopART's (the passes see to that).  Raises
    InvalidParameter when PopART refuses a node, InternalError when a rule is wrong.
    """
    return Lowering(graph, popart, provide).run(training)
