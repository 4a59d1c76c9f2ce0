"""Shape rules of the linear ops."""
