"""Callhouse: the data warehouse that a call centre can trust.

The modules stand in the order a record travels: sources → landing → raw →
transform (dbt) → quality → publish → reports. Imports point upstream only.
"""

__version__ = "0.1.0"
