"""The abilities that a connection to AVImark has: new records and confirmations are written, nothing else is.

Later changes of type, room, provider or notes are not, nor are cancellations and arrivals; payments are none of ours.
"""

from pims_adapters._agent.abilities import Confirms, Creates, Exports, FindsPeople, Lists
from pims_adapters.avimark.dialect import AVIMARK


class AvimarkAdapter(Creates, FindsPeople, Confirms, Lists, Exports):
    """One connection to one AVImark."""

    dialect = AVIMARK
    feeds = AVIMARK.feeds
    asks = AVIMARK.asks
    write_lag = AVIMARK.write_lag
