# SQLite itself, through the C library: 64 refreshes and a COMMIT, over and over.
import json, re, sqlite3, sys, time
path, families, sql, client, now, until, seconds = sys.argv[1:]
now, until, seconds = int(now), int(until), int(seconds)
families = json.load(open(families))
db = sqlite3.connect(path, isolation_level=None)
for pragma in "journal_mode=WAL", "synchronous=FULL", "cache_size=-16384", "wal_autocheckpoint=4000":
    db.execute("PRAGMA " + pragma)
sql = re.sub(r"\$(\d)", r"?\1", sql)
at, count, begin = 0, 0, time.perf_counter()
while time.perf_counter() - begin < seconds:
    db.execute("BEGIN IMMEDIATE")
    for _ in range(64):
        at = (at + 7919) % len(families)
        family = families[at]
        if len(db.execute(sql, (family[0], family[1], now, until, client)).fetchall()) != 1:
            sys.exit("the raw loop was refused")
        family[1] += 1
        count += 1
    db.execute("COMMIT")
print(json.dumps([count / (time.perf_counter() - begin), [family[1] for family in families]]))
