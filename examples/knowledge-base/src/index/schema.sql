CREATE TABLE pages (
    id      INTEGER PRIMARY KEY,
    corpus  TEXT NOT NULL,
    path    TEXT NOT NULL,
    title   TEXT NOT NULL,
    text    TEXT NOT NULL,
    stamp   TEXT NOT NULL,
    problem TEXT,
    UNIQUE (corpus, path)
) STRICT;

CREATE VIRTUAL TABLE page_words USING fts5 (
    title, text,
    content = 'pages', content_rowid = 'id',
    tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TRIGGER page_added AFTER INSERT ON pages BEGIN
    INSERT INTO page_words (rowid, title, text) VALUES (new.id, new.title, new.text);
END;

CREATE TRIGGER page_removed AFTER DELETE ON pages BEGIN
    INSERT INTO page_words (page_words, rowid, title, text) VALUES ('delete', old.id, old.title, old.text);
END;

CREATE TRIGGER page_changed AFTER UPDATE ON pages BEGIN
    INSERT INTO page_words (page_words, rowid, title, text) VALUES ('delete', old.id, old.title, old.text);
    INSERT INTO page_words (rowid, title, text) VALUES (new.id, new.title, new.text);
END;

PRAGMA user_version = 1;
