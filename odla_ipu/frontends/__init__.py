"""Readers of model files: each turns a foreign format into a graph of ODLA ops."""
