"""Streams of events (Server-Sent Events, https://html.spec.whatwg.org/multipage/server-sent-events.html).

A process reads each new event of an application once, and sends it to all its streams. A stream
that is behind reads for itself until it has caught up.
"""
