"""Lazy frames: names checked, steps that read twice, what keeps rows apart, and what travels with a frame."""
