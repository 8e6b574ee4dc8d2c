"""Processes of this machine that run dates: kept, asked and answered over pipes."""
