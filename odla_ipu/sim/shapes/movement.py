"""Shape rules of the movement ops."""
