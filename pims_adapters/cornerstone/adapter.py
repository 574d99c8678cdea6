"""The abilities that a connection to Cornerstone has: new records and confirmations are written, nothing else is.

Appointments that stand there are not moved or cancelled by us, nor is an arrival noted: staff do that in Cornerstone.
"""

from pims_adapters._agent.abilities import Confirms, Creates, Exports, Lists
from pims_adapters.cornerstone.dialect import CORNERSTONE


class CornerstoneAdapter(Creates, Confirms, Lists, Exports):
    """One connection to one Cornerstone."""

    dialect = CORNERSTONE
    feeds = CORNERSTONE.feeds
    asks = CORNERSTONE.asks
    write_lag = CORNERSTONE.write_lag
