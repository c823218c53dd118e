"""The gateway: from a press of the Scan button to a receipt in the ledger. Data flows forward through the rooms.

core/          rules: who may what, as tables and pure functions (no I/O, no clock)
vault/         secrets: the device key, age identities, sealing
store/         memory: rows (SQL) and sealed pages (spool)
documents/     pages -> one document
destinations/  where documents go, one file each behind one port
work/          the walk: watch -> intake -> gatekeeper -> outbox -> janitor, and signin, enroll, claim, reading
web/           the face: API, pages, events
app.py wires it all once; cli.py starts it; settings.py and clock.py stand beside core.
"""
