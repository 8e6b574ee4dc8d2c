"""Rules that add columns to the rows of a day, and the FIFO matching of trades."""

from vizflow.enrichment.enricher import Enricher
from vizflow.enrichment.fifo import FIFOMatch
from vizflow.enrichment.rules import State, TagCondition, TagRule, TagRunning

__all__ = ["Enricher", "FIFOMatch", "State", "TagCondition", "TagRule", "TagRunning"]
