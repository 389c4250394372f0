"""Everything that talks to RabbitMQ beside Celery's own workers."""
