"""Webhooks: each is a cursor on the log of events, which signed POST requests move on.

`models` is the table, `rules` what a client may ask for, `services` the changes that it asks for.
A delivery is claimed in `leases`, read in `batches`, signed by `signatures`, sent by `sending` over
`network` to what `destinations` permits, and settled in `leases`. `runner` does that for many
endpoints at once.
"""
