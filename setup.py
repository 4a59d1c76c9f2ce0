"""Build entry point: the packages; everything else is declared in pyproject.toml."""

from setuptools import find_packages, setup

KERNELS = "odla_ipu.kernels"

setup(
    packages=[
        *find_packages(include=["odla_ipu*"]),
        KERNELS,
        *(f"{KERNELS}.{name}" for name in find_packages("kernels")),
    ],
    package_dir={KERNELS: "kernels"},
)
