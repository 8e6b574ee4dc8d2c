"""Make synthetic trading days that look like real ones, of any size, from a seed.

For demonstrations, tests and benchmarks; not a market simulator: no orders are matched,
and prices are shaped only so that each stage of the pipeline has something to do.

A day is a list of *stretches* of the clock (quotes before the open, the opening print,
panels of continuous trading, the closing cluster, trades after the close). A stretch
holds a small path of every symbol's price; its rows are drawn from that path in blocks.
Each stretch and each block has a random stream of its own, keyed by seed, date and
position: that is why a day can be of any size in bounded memory, and why its bytes
depend on nothing else.
"""

from vizflow.demo.days import SCHEMA, generate

__all__ = ["SCHEMA", "generate"]
