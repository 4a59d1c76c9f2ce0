"""Build entry point: the packages; everything else is declared in pyproject.toml."""

from setuptools import find_packages, setup

PARTS = {"odla_ipu.kernels": "kernels", "odla_ipu.examples": "examples"}
"""Packages that have a folder of their own beside ``odla_ipu``."""

setup(
    packages=[
        *find_packages(include=["odla_ipu*"]),
        *PARTS,
        *(f"{part}.{name}" for part, folder in PARTS.items() for name in find_packages(folder)),
    ],
    package_dir=PARTS,
)
