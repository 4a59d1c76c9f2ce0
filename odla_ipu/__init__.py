"""odla_ipu: an ODLA backend for Graphcore IPUs."""
