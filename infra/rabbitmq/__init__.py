"""Everything that talks to RabbitMQ except Celery's own workers."""
