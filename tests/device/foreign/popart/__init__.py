"""Plays a package that merely has popart's name."""
