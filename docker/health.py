"""Whether the default device computes: ends with an error where it does not."""

import numpy as np

import odla_ipu as odla

found = np.asarray(odla.relu(odla.constant([-1.0, 2.0])))
assert found.tolist() == [0, 2], found
