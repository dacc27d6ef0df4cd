"""A simulated call centre that writes the source systems' own files, and the truth beside them.

``simulate(plan, out)`` runs a seeded discrete-event simulation and writes, in the layout of
``config/sources.yml``::

    out/pbx/queue_log-YYYYMMDD               Asterisk queue log, one file per local day
    out/asterisk/…                           call detail records and channel events beside it
    out/amazon_connect/…  freeswitch/…  genesys_cloud/…    the same calls as other telephone systems tell them
    out/crm/customers.csv  cases-YYYYMMDD.csv  surveys-YYYYMMDD.csv
    out/attendance/shifts-YYYYMMDD.csv  punches-YYYYMMDD.csv
    out/truth/<mart>.csv                     what happened, as far as the telephone system can know it

Modules, in the order a call passes them: ``plan`` (what to simulate) → ``people`` (customers, agents,
rosters) → ``arrivals`` (who calls when) → ``centre`` (the event loop) → ``systems`` (what each source
system writes) and ``truth`` (what happened; ``knowledge``: what each telephone system knows of it) →
``output`` (files).
"""

from callhouse.simulate.centre import Summary, simulate
from callhouse.simulate.plan import Plan, Queue

__all__ = ["Plan", "Queue", "Summary", "simulate"]
