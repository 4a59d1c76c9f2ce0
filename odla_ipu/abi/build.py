"""Building the C library: what is generated from the headers, and how it is compiled.

``libodla_ipu.so`` is C++ that knows nothing of Python; ``_bridge`` is the extension module through
which it calls Python, made by cffi.  setup.py builds both.
"""

import json
import os
import re
import sys
import sysconfig
from typing import Dict, Iterator, List, NamedTuple, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(HERE)
INCLUDE = os.path.join(PACKAGE, "include")
LIBRARY = os.path.join(HERE, "library")

OP_HEADERS = ("math", "nn", "process", "quantization")
"""The headers whose functions are generated; those of the others are written by hand."""

PREDECESSOR_FUNCTIONS = ("odla_CreateExecutable", "odla_LoadExecutable", "odla_StoreExecutable")

FORMER_SPELLINGS = {"odla_BatchMatmul": "odla_BatchMatMul"}


class Prototype(NamedTuple):
    returns: str
    name: str
    parameters: List[Tuple[str, str]]
    """Type (without const) and name of each."""


# The headers.


def prototypes(header: str) -> Iterator[Prototype]:
    """The functions that a header below ``include/ODLA`` declares."""
    with open(os.path.join(INCLUDE, "ODLA", header), encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    pattern = r"ODLA_API_EXPORT\s+([^;{}()]+?)\s+ODLA_API_CALL\s+(\w+)\s*\(([^)]*)\)\s*;"
    for returns, name, given in re.findall(pattern, text):
        parameters = []
        for one in given.split(","):
            one = re.sub(r"\bconst\b", "", one).strip()
            if one in ("void", "..."):
                continue
            kind, _, parameter = one.replace("*", "* ").rpartition(" ")
            parameters.append((" ".join(kind.split()).replace(" *", "*"), parameter))
        yield Prototype(returns, name, parameters)


def headers() -> List[str]:
    """The headers below ``include/ODLA``, odla_ipu.h last."""
    found = ["odla_ipu.h"]
    for folder, _, files in os.walk(os.path.join(INCLUDE, "ODLA")):
        relative = os.path.relpath(folder, os.path.join(INCLUDE, "ODLA"))
        found += [os.path.normpath(os.path.join(relative, name)) for name in files]
    return sorted(set(found) - {"odla_ipu.h"}) + ["odla_ipu.h"]


def op_prototypes() -> List[Prototype]:
    """The ops in the order of their numbers."""
    return [one for name in OP_HEADERS for one in prototypes(f"ops/odla_ops_{name}.h")]


# What is generated.


def exports() -> str:
    """The linker's version script: the functions of the headers, and nothing else."""
    names = [one.name for header in headers() for one in prototypes(header)]
    # C++ functions of the predecessor
    mangled = [f"_Z{len(name)}{name}*" for name in PREDECESSOR_FUNCTIONS]
    lines = "".join(f"    {name};\n" for name in sorted(set(names)) + mangled)
    return f"{{\n  global:\n{lines}  local:\n    *;\n}};\n"


def ops_source() -> str:
    """ops.cpp: each op's function, which hands its arguments to Python by the op's number."""
    found = op_prototypes()
    lines = ["// Generated from the headers by build.py.", '#include "ops.h"', ""]
    lines += ["namespace odla_ipu {", "", "const char* const op_names[] = {"]
    lines += [f'    "{one.name}",' for one in found]
    lines += ["};", f"const int32_t op_count = {len(found)};", "", "}  // namespace odla_ipu", ""]
    lines += ["using namespace odla_ipu;", "", 'extern "C" {', ""]
    for number, one in enumerate(found):
        lines += _definition(number, one)
    by_name = {one.name: one for one in found}
    for former, name in FORMER_SPELLINGS.items():
        lines += _forwarding(former, by_name[name])
    return "\n".join([*lines, '}  // extern "C"', ""])


def _declaration(name: str, one: Prototype) -> str:
    parameters = ", ".join(
        f"{'const ' if '*' in kind else ''}{kind} {parameter}" for kind, parameter in one.parameters
    )
    return f"{one.returns} {name}({parameters})"


def _definition(number: int, one: Prototype) -> List[str]:
    *arguments, (_, ids) = one.parameters
    many = one.returns == "odla_values"
    results = "[&](odla_values& results)" if many else "[&]"
    lines = [f"{_declaration(one.name, one)} {{"]
    lines.append(f"  return guarded_value{'s' if many else ''}(__func__, {results} {{")
    lines.append("    Slots slots;")
    lines += [f"    slots.{_slot(kind, name)};" for kind, name in arguments]
    call = f"add_op({number}, slots, {ids}"
    lines.append(f"    {call}, results);" if many else f"    return {call});")
    return [*lines, "  });", "}", ""]


def _forwarding(former: str, one: Prototype) -> List[str]:
    arguments = ", ".join(name for _, name in one.parameters)
    return [f"{_declaration(former, one)} {{", f"  return {one.name}({arguments});", "}", ""]


def _slot(kind: str, name: str) -> str:
    """How the argument becomes a slot."""
    named = {
        "odla_value": "value",
        "odla_values": "values",
        "odla_value_shape": "shape",
        "odla_value_type": "type",
    }
    if kind in named:
        return f'{named[kind]}({name}, "{name}")'
    if "*" in kind:
        return f"pointer({name})"
    if kind in ("odla_float32", "odla_float64"):
        return f"real({name})"
    return f"number(static_cast<int64_t>({name}))"


def bridge_declarations() -> str:
    """The part of bridge.h that cffi reads, after the types of ODLA that it needs."""
    with open(os.path.join(HERE, "bridge.h"), encoding="utf-8") as file:
        text = file.read().split("/* cdef */")[1].split("/* end of cdef */")[0]
    types = """
        typedef enum { ODLA_INT8, ... } odla_element_type;
        typedef struct { int32_t size; int64_t dims[10]; } odla_value_shape;
        typedef struct { odla_element_type element_type; odla_value_shape shape; } odla_value_type;
    """
    python = """
        extern "Python" {
            void odla_ipu_call(int32_t, const odla_ipu_slot*, odla_ipu_reply*);
            void odla_ipu_op(int32_t, int64_t, const odla_ipu_slot*, const odla_ipu_ids*,
                             odla_ipu_reply*);
            void odla_ipu_run(const odla_ipu_job*, odla_ipu_reply*);
        }
        typedef struct {
            const char* const* ops;
            int32_t num_ops;
            ...;
        } odla_ipu_host;
        extern const odla_ipu_host* odla_ipu_the_host;
        void odla_ipu_log(int32_t level, const char* message);
        int32_t odla_ipu_has_logger(void);
        void odla_ipu_shut_down(void);
    """
    return types + re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL) + python


# How it is compiled.


def configuration() -> str:
    """configuration.h: what the C++ sources are told of this Python."""
    from_config = sysconfig.get_config_var
    soname = from_config("INSTSONAME") or ""
    if not soname.startswith("libpython") or ".so" not in soname:
        soname = f"libpython{sysconfig.get_python_version()}.so.1.0"
    texts = {
        "ODLA_IPU_PYTHON_VERSION": sysconfig.get_python_version(),
        "ODLA_IPU_PYTHON_EXECUTABLE": sys.executable,
        "ODLA_IPU_PYTHON_LIBRARY": os.path.join(from_config("LIBDIR") or "", soname),
        "ODLA_IPU_PYTHON_SONAME": soname,
        "ODLA_IPU_BRIDGE_FILE": "_bridge" + (from_config("EXT_SUFFIX") or ".so"),
        "ODLA_IPU_BUILD_FOLDER": HERE,
        "ODLA_IPU_VERSION": _version(),
    }
    lines = [f"#define {name} {json.dumps(text)}\n" for name, text in texts.items()]
    return "".join(["// Generated by build.py.\n", *lines])


def _version() -> str:
    found: Dict[str, str] = {}
    with open(os.path.join(PACKAGE, "version.py"), encoding="utf-8") as file:
        exec(file.read(), found)
    return found["VERSION"]


COMPILE_ARGUMENTS = ["-std=c++17", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-pthread"]


def sources() -> List[str]:
    """The C++ files that are not generated."""
    return sorted(
        os.path.join(LIBRARY, name) for name in os.listdir(LIBRARY) if name.endswith(".cpp")
    )


def write_generated(folder: str) -> Tuple[str, List[str]]:
    """Write what is generated; gives ops.cpp and the arguments for the linker."""
    os.makedirs(folder, exist_ok=True)
    texts = {"ops.cpp": ops_source(), "exports.map": exports(), "configuration.h": configuration()}
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    source, script = os.path.join(folder, "ops.cpp"), os.path.join(folder, "exports.map")
    # Threads of the library may run while a program unloads it: it stays.
    return source, [
        f"-Wl,--version-script={script}",
        "-Wl,-soname,libodla_ipu.so",
        "-Wl,-z,nodelete",
        "-pthread",
        "-ldl",
    ]


def bridge() -> "object":
    """cffi's builder of the extension module ``odla_ipu.abi._bridge``."""
    import cffi

    builder = cffi.FFI()
    builder.cdef(bridge_declarations())
    with open(os.path.join(HERE, "bridge.c"), encoding="utf-8") as file:
        source = file.read()
    builder.set_source("odla_ipu.abi._bridge", source, py_limited_api=False)
    return builder
