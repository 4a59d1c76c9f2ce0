"""Builds the C library and lists the packages; all else is declared in pyproject.toml."""

import importlib.util
import os

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

HERE = os.path.dirname(os.path.abspath(__file__))
ABI = os.path.join("odla_ipu", "abi")
LIBRARY = "odla_ipu.abi.libodla_ipu"
BRIDGE = "odla_ipu.abi._bridge"
PARTS = {"odla_ipu.kernels": "kernels", "odla_ipu.examples": "examples"}
"""Packages that have a folder of their own beside ``odla_ipu``."""


def load(path):
    """A module of the package, which is not installed yet."""
    spec = importlib.util.spec_from_file_location("odla_ipu_build", os.path.join(HERE, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


abi = load(os.path.join(ABI, "build.py"))


class BuildExt(build_ext):
    """Builds libodla_ipu.so, which is no module of Python, beside the extension module."""

    def get_ext_filename(self, fullname):
        *packages, name = fullname.split(".")
        if name == LIBRARY.rpartition(".")[2]:
            return os.path.join(*packages, "libodla_ipu.so")
        return super().get_ext_filename(fullname)

    def get_export_symbols(self, ext):
        return []

    def build_extension(self, ext):
        folder = os.path.join(self.build_temp, "odla_ipu")
        os.makedirs(folder, exist_ok=True)
        if ext.name == LIBRARY:
            source, linker = abi.write_generated(folder)
            ext.sources = [*ext.sources, source]
            ext.include_dirs = [*ext.include_dirs, folder]
            ext.extra_link_args = linker
        else:
            source = os.path.join(folder, "_bridge.c")
            abi.bridge().emit_c_code(source)
            ext.sources = [source]
        super().build_extension(ext)


headers = [os.path.join(ABI, "bridge.h"), os.path.join(ABI, "bridge.c")]
includes = [os.path.join("odla_ipu", "include"), ABI, os.path.join(ABI, "library")]
setup(
    packages=[
        *find_packages(include=["odla_ipu*"]),
        *PARTS,
        *(f"{part}.{name}" for part, folder in PARTS.items() for name in find_packages(folder)),
    ],
    package_dir=PARTS,
    cmdclass={"build_ext": BuildExt},
    ext_modules=[
        Extension(
            LIBRARY,
            [os.path.relpath(path, HERE) for path in abi.sources()],
            include_dirs=includes,
            depends=headers,
            language="c++",
            extra_compile_args=abi.COMPILE_ARGUMENTS,
        ),
        Extension(
            BRIDGE,
            [],
            include_dirs=includes,
            depends=headers,
            # PyConfig, by which Python is started, is no part of the limited API.
            define_macros=[("_CFFI_NO_LIMITED_API", None)],
        ),
    ],
)
