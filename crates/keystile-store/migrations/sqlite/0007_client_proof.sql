-- Clients of documents that prove who they are: what one was given is of no use to who merely claims to
-- be it, whatever its document says by then.

ALTER TABLE grants ADD COLUMN client_proves INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device_requests ADD COLUMN client_proves INTEGER NOT NULL DEFAULT 0;
