"""The database backend for MariaDB and MySQL: `DATABASE_URL=mysql://…`."""
