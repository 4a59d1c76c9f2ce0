"""The native module of PopART, which the stand-in does not separate from the rest."""

from popart import *  # noqa: F403
