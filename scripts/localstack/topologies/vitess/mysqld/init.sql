-- Runs at each start. The users of a tablet, who come by the socket.
CREATE USER IF NOT EXISTS 'vt_dba'@'localhost', 'vt_app'@'localhost', 'vt_appdebug'@'localhost', 'vt_allprivs'@'localhost', 'vt_repl'@'localhost', 'vt_filtered'@'localhost';
GRANT ALL ON *.* TO 'vt_dba'@'localhost', 'vt_app'@'localhost', 'vt_appdebug'@'localhost', 'vt_allprivs'@'localhost', 'vt_repl'@'localhost', 'vt_filtered'@'localhost' WITH GRANT OPTION;
