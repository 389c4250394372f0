"""The database backend for Vitess, a sharded MySQL: `DATABASE_URL=vitess://…`."""
