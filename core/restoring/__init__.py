"""After an older database was put back: nothing that still exists is lost or numbered again.

The table is older then than Redis and the queues. `quiet` sees that nobody gives numbers meanwhile,
`ceilings` raises what may be given next above all that is known, `losses` records what is nowhere
any more, and `running` does it all in order. Each step may be repeated.
"""
