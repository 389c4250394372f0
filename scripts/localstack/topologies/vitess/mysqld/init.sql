-- Runs at each start. The users of a tablet, who come by the socket; Vitess wants a password for the first.
CREATE USER IF NOT EXISTS 'vt_app'@'localhost' IDENTIFIED BY '$database_secret';
CREATE USER IF NOT EXISTS 'vt_dba'@'localhost', 'vt_appdebug'@'localhost', 'vt_allprivs'@'localhost', 'vt_repl'@'localhost', 'vt_filtered'@'localhost';
GRANT ALL ON *.* TO 'vt_app'@'localhost', 'vt_dba'@'localhost', 'vt_appdebug'@'localhost', 'vt_allprivs'@'localhost', 'vt_repl'@'localhost', 'vt_filtered'@'localhost' WITH GRANT OPTION;
