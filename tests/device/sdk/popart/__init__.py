"""Plays the SDK's popart in a child process: the simulator without its marker."""

import odla_ipu.sim


def __getattr__(name):
    if name == "__odla_ipu_sim__":
        raise AttributeError(name)
    return getattr(odla_ipu.sim, name)
