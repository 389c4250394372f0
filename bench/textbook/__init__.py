"""The textbook design: number by Redis INCR, one Celery task a row, confirmed by RabbitMQ.

It is what one finds written down for "queue the write": stock DRF view and serializer, stock
middleware, gunicorn with threads. It checks less than the product does (not even that the chat
exists), so it is the faster for it.
"""
