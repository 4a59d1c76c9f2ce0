"""The kernels: custom ops of our own, one folder each.

A folder holds the declaration and what computes it: ``codelet.cpp`` and ``op.cpp`` for the IPU and
the host Poplar, ``body.py`` for the simulator where these are not there yet.
"""
