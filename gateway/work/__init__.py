"""The walk. One file per room, in this order:

watch       who is there, whose is it, was Scan pressed           (signin, enroll, claim: the people)
intake      the owner's scan: pages sealed one by one as they arrive
routing     the rules: where a finished scan goes
dispatch    whose turn it is
gatekeeper  gathers the facts and asks core/gate.decide
outbox      with a Permit: document (render: verify, unseal, pages as wanted) -> destination -> receipt
janitor     sweeps at the start, gives up on paused scans, erases what was delivered long enough ago
notices     what owners are told (channels: where it is pushed); ledger: their word on single deliveries
"""
