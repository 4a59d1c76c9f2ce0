"""Shape rules of the control ops."""
