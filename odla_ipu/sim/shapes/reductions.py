"""Shape rules of the reductions ops."""
