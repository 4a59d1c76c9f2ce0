"""What the examples share: their declaration, weights, layers, counts."""
