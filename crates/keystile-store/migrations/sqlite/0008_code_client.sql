-- A code's client is its grant's. A registered client's id may have hundreds of bytes, and codes are many.

ALTER TABLE codes DROP COLUMN client_id;
