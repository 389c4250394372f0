-- HAProxy asks by this account whether the node is synchronized. It has no password, because HAProxy
-- cannot answer the server's challenge, and no rights.
CREATE USER IF NOT EXISTS 'haproxy'@'%';
