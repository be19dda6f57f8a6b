#include "peers.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#ifdef HAVE_SQLITE
#include <sqlite3.h>

enum { BUSY_MS = 60000 };

struct sqlite_client {
    sqlite3 *db;
    sqlite3_stmt *insert;
};

static void sqlite_run(sqlite3 *db, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        die("sqlite: %s: %s", sql, message != NULL ? message : "failed");
}

static void *sqlite_open(const char *path)
{
    sqlite3 *db = NULL;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        die("sqlite: cannot open %s", path);
    sqlite_run(db, "PRAGMA journal_mode=WAL");
    sqlite_run(db, "CREATE TABLE IF NOT EXISTS page (id INTEGER PRIMARY KEY, state INT)");
    return db;
}

static void *sqlite_connect(void *database)
{
    struct sqlite_client *const client = malloc(sizeof(*client));

    if (client == NULL)
        die("out of memory");
    if (sqlite3_open(sqlite3_db_filename(database, "main"), &client->db) != SQLITE_OK ||
        sqlite3_busy_timeout(client->db, BUSY_MS) != SQLITE_OK)
        die("sqlite: cannot open it once more");
    sqlite_run(client->db, "PRAGMA synchronous=FULL");
    if (sqlite3_prepare_v2(client->db, "INSERT INTO page(state) VALUES (1)", -1,
                           &client->insert, NULL) != SQLITE_OK)
        die("sqlite: cannot prepare");
    return client;
}

static int sqlite_transact(void *connection)
{
    const struct sqlite_client *const client = connection;
    const int result = sqlite3_step(client->insert);

    (void)sqlite3_reset(client->insert);
    return result == SQLITE_DONE ? 0 : EIO;
}

static void sqlite_disconnect(void *connection)
{
    struct sqlite_client *const client = connection;

    sqlite3_finalize(client->insert);
    sqlite3_close(client->db);
    free(client);
}

static void sqlite_close(void *database)
{
    sqlite3_close(database);
}
#endif

#ifdef HAVE_LMDB
#include <lmdb.h>

enum { LMDB_MAP_BYTES = 1 << 30 };

struct lmdb {
    MDB_env *env;
    MDB_dbi dbi;
    uint64_t next; /* changed inside write transactions only */
};

static void *lmdb_open(const char *path)
{
    struct lmdb *const l = calloc(1, sizeof(*l));
    MDB_txn *txn = NULL;

    if (l == NULL)
        die("out of memory");
    if (mdb_env_create(&l->env) != 0 ||
        mdb_env_set_mapsize(l->env, LMDB_MAP_BYTES) != 0 ||
        mdb_env_open(l->env, path, MDB_NOSUBDIR, 0600) != 0 ||
        mdb_txn_begin(l->env, NULL, 0, &txn) != 0 ||
        mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &l->dbi) != 0 || mdb_txn_commit(txn) != 0)
        die("lmdb: cannot open %s", path);
    return l;
}

static void *lmdb_connect(void *database)
{
    return database;
}

static int lmdb_transact(void *connection)
{
    struct lmdb *const l = connection;
    MDB_txn *txn = NULL;

    if (mdb_txn_begin(l->env, NULL, 0, &txn) != 0)
        return EIO;
    uint64_t id = l->next++, state = 1;
    MDB_val key = {sizeof(id), &id}, value = {sizeof(state), &state};
    if (mdb_put(txn, l->dbi, &key, &value, 0) != 0) {
        mdb_txn_abort(txn);
        return EIO;
    }
    return mdb_txn_commit(txn) == 0 ? 0 : EIO;
}

static void lmdb_disconnect(void *connection)
{
    (void)connection;
}

static void lmdb_close(void *database)
{
    struct lmdb *const l = database;

    mdb_env_close(l->env);
    free(l);
}
#endif

const struct peer peers[PEER_COUNT] = {
    [PEER_SQLITE] =
        {
            .name = "sqlite",
            .title = "SQLite, WAL, FULL",
#ifdef HAVE_SQLITE
            .open = sqlite_open,
            .connect = sqlite_connect,
            .transact = sqlite_transact,
            .disconnect = sqlite_disconnect,
            .close = sqlite_close,
#endif
        },
    [PEER_LMDB] =
        {
            .name = "lmdb",
            .title = "LMDB",
#ifdef HAVE_LMDB
            .open = lmdb_open,
            .connect = lmdb_connect,
            .transact = lmdb_transact,
            .disconnect = lmdb_disconnect,
            .close = lmdb_close,
#endif
        },
};
