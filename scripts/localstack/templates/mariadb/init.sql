-- Runs at each start, before the server listens. In a GRANT, \_ is a plain underscore: test\_% are the tests' databases.
CREATE DATABASE IF NOT EXISTS chatsystem CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS 'chatsystem'@'$clients' IDENTIFIED BY '$database_secret';
ALTER USER 'chatsystem'@'$clients' IDENTIFIED BY '$database_secret';
GRANT ALL PRIVILEGES ON `chatsystem`.* TO 'chatsystem'@'$clients';
GRANT ALL PRIVILEGES ON `test\_%`.* TO 'chatsystem'@'$clients';
CREATE USER IF NOT EXISTS 'chatsystem'@'localhost' IDENTIFIED BY '$database_secret';
ALTER USER 'chatsystem'@'localhost' IDENTIFIED BY '$database_secret';
GRANT ALL PRIVILEGES ON `chatsystem`.* TO 'chatsystem'@'localhost';
GRANT ALL PRIVILEGES ON `test\_%`.* TO 'chatsystem'@'localhost';
