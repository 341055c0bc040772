-- A grant has one code, which names it: two rows, three indexes and a foreign key less for each sign-in. Codes live a
-- minute; those of the earlier kind end with this.
DROP TABLE codes;

-- Digest of the code's text and what a redemption has to show, until a day after it expired. None is a device's grant.
-- A code is spent when its grant is activated.
ALTER TABLE grants ADD COLUMN code BLOB;
ALTER TABLE grants ADD COLUMN code_redirect_uri TEXT;
ALTER TABLE grants ADD COLUMN code_challenge BLOB;
ALTER TABLE grants ADD COLUMN code_expires_at INTEGER;

-- Those are found by walking all grants.
DROP INDEX grants_never_used;
