"""Shape rules of the layers ops."""
