#include <stdio.h>

#include <sqlite3.h>

#include "store/migrate.h"

/* "pmrl": tells file(1) and us whose database this is. */
#define APPLICATION_ID 0x706d726c

/*
 * doc/queue.md explains the tables.  The numbers of enum item_state stand here as they are
 * stored: 1 spooled, 2 sending, 3 waiting, 4 held, 5 unsure, 6 sent, 7 failed, 8 captured; 0 is
 * what the items of a mail share.  Up to version 2 that was 8, and nothing was captured.
 */
const char *const migrate_steps[] = {
	/* 1 */
	"CREATE TABLE route("
	"  key INTEGER PRIMARY KEY,"
	"  name TEXT NOT NULL UNIQUE"
	") STRICT;"

	"CREATE TABLE mail("
	"  key INTEGER PRIMARY KEY,"
	"  id TEXT NOT NULL UNIQUE,"
	"  accepted_ms INTEGER NOT NULL,"
	"  reverse_path TEXT NOT NULL,"
	"  listener TEXT NOT NULL,"
	"  client TEXT NOT NULL,"
	"  helo TEXT NOT NULL,"
	"  message_id TEXT NOT NULL,"
	"  from_header TEXT NOT NULL,"
	"  subject TEXT NOT NULL,"
	"  ledger TEXT NOT NULL,"
	"  content_bytes INTEGER NOT NULL"
	") STRICT;"

	/* key: the mail's key and the number of the item, so that neither needs an index. */
	"CREATE TABLE item("
	"  key INTEGER PRIMARY KEY,"
	"  route INTEGER NOT NULL,"
	"  state INTEGER NOT NULL,"
	"  due_ms INTEGER NOT NULL,"
	"  attempt INTEGER NOT NULL,"
	"  history INTEGER NOT NULL,"
	"  put_aside INTEGER NOT NULL,"
	"  payload_at INTEGER NOT NULL,"
	"  payload_bytes INTEGER NOT NULL,"
	"  message_bytes INTEGER NOT NULL," /* with what it shares with others */
	"  ended_ms INTEGER NOT NULL,"
	"  recipients TEXT NOT NULL,"
	"  postmark_id TEXT,"
	"  inactive TEXT"
	") STRICT;"
	"CREATE INDEX item_due ON item(route, due_ms) WHERE state IN (1, 3);"
	"CREATE INDEX item_unsure ON item(route, due_ms) WHERE state = 5;"
	"CREATE INDEX item_sending ON item(state) WHERE state = 2;"

	/* Apart from item, so that a change of state never moves a body. */
	"CREATE TABLE payload("
	"  item INTEGER PRIMARY KEY,"
	"  json BLOB NOT NULL"
	") STRICT;"

	"CREATE TABLE attempt("
	"  item INTEGER NOT NULL,"
	"  line INTEGER NOT NULL,"
	"  attempt INTEGER NOT NULL,"
	"  at_ms INTEGER NOT NULL,"
	"  verdict INTEGER NOT NULL,"
	"  http_status INTEGER NOT NULL,"
	"  error_code INTEGER NOT NULL,"
	"  answer TEXT,"
	"  PRIMARY KEY(item, line)"
	") STRICT, WITHOUT ROWID;"

	/* How many items are in each state; 0: put aside; 100: no open item is below this key. */
	"CREATE TABLE tally("
	"  what INTEGER PRIMARY KEY,"
	"  number INTEGER NOT NULL"
	") STRICT;"
	"INSERT INTO tally VALUES (0,0),(1,0),(2,0),(3,0),(4,0),(5,0),(6,0),(7,0),(100,0);",

	/* 2: what an operator sees and does */
	"ALTER TABLE item ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
	/* 0: since its mail was accepted.  Nothing has to be rewritten, and a new item needs no
	 * byte for it. */
	"ALTER TABLE item ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0;"
	/* Of held and failed: a request may have gone out that nobody has answered. */
	"ALTER TABLE item ADD COLUMN unanswered INTEGER NOT NULL DEFAULT 0;"
	"UPDATE item SET unanswered=1 WHERE state=4 AND put_aside=0 AND EXISTS"
	"  (SELECT 1 FROM attempt AS a WHERE a.item=item.key AND"
	"   (a.line=item.history AND a.http_status=0 OR a.line=item.history-1 AND a.verdict=5));"

	"ALTER TABLE route ADD COLUMN held INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE route ADD COLUMN why TEXT;"
	"ALTER TABLE route ADD COLUMN stood_since_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE route ADD COLUMN stood_ms INTEGER NOT NULL DEFAULT 0;"

	/* Every state but sent, each in the order of the keys: the oldest of a state, and a page of
	 * them, without looking at others. */
	"DROP INDEX item_sending;"
	"CREATE INDEX item_state ON item(state) WHERE state NOT IN (6, 8);"
	"DELETE FROM tally WHERE what=100;"

	/* Ids that are random would each dirty a page of their own among all that is kept.  With
	 * the age before them only the pages of the newest are written to; whoever looks for one
	 * asks for it age by age. */
	"CREATE INDEX mail_message ON mail(key >> 10, message_id) WHERE message_id <> '';"
	"CREATE INDEX item_postmark ON item(key >> 30, postmark_id)"
	"  WHERE postmark_id IS NOT NULL;",

	/* 3: what is captured, and what its sender was told of at once */
	"DROP INDEX item_state;"
	"UPDATE item SET state=0, ended_ms=0 WHERE state=8;"
	"CREATE INDEX item_state ON item(state) WHERE state NOT IN (0, 6);"
	"INSERT INTO tally VALUES (8,0);"
	"ALTER TABLE item ADD COLUMN told INTEGER NOT NULL DEFAULT 0;",

	/* 4: what happens after an item is sent.  fates: enum fate of all its recipients; proof: of
	 * one in the dispatcher's hands, the event that says that Postmark has it. */
	"ALTER TABLE item ADD COLUMN fates INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE item ADD COLUMN proof INTEGER NOT NULL DEFAULT 0;"

	/* A key that was used is never used again: an outlet has gone past it. */
	"CREATE TABLE event("
	"  key INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  item INTEGER NOT NULL," /* 0: not one of ours */
	"  kind INTEGER NOT NULL,"
	"  received_ms INTEGER NOT NULL,"
	"  at_ms INTEGER NOT NULL,"
	"  mark BLOB NOT NULL,"
	"  id TEXT NOT NULL,"
	"  connection TEXT NOT NULL,"
	"  relay_id TEXT NOT NULL,"
	"  message_id TEXT NOT NULL,"
	"  stream TEXT NOT NULL,"
	"  tag TEXT NOT NULL,"
	"  recipient TEXT NOT NULL,"
	"  type TEXT NOT NULL,"
	"  origin TEXT NOT NULL,"
	"  detail TEXT NOT NULL,"
	"  type_code INTEGER NOT NULL,"
	"  number INTEGER NOT NULL,"
	"  suppressed INTEGER NOT NULL,"
	"  first INTEGER NOT NULL,"
	"  json TEXT NOT NULL"
	") STRICT;"
	"CREATE INDEX event_item ON event(item) WHERE item <> 0;"
	"CREATE INDEX event_stray ON event(received_ms) WHERE item = 0;"
	"CREATE INDEX event_kind ON event(kind);"
	/* Marks are random: apart, where sixteen bytes and a key are all that a page has to hold of
	 * one, hundreds of them share it. */
	"CREATE TABLE event_mark("
	"  mark BLOB PRIMARY KEY,"
	"  event INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE outlet("
	"  name TEXT PRIMARY KEY,"
	"  after_key INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE suppression("
	"  connection TEXT NOT NULL,"
	"  stream TEXT NOT NULL,"
	"  address TEXT NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  origin TEXT NOT NULL,"
	"  at_ms INTEGER NOT NULL,"
	"  PRIMARY KEY(connection, stream, address)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE hook("
	"  path TEXT PRIMARY KEY,"
	"  connection TEXT NOT NULL,"
	"  stream TEXT NOT NULL,"
	"  user TEXT NOT NULL,"
	"  password TEXT NOT NULL,"
	"  webhook_id INTEGER NOT NULL,"
	"  made_ms INTEGER NOT NULL,"
	"  ends_ms INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;",

	/* 5: what was lifted is kept for a while, for facts of before that come late */
	("ALTER TABLE suppression ADD COLUMN lifted INTEGER NOT NULL DEFAULT 0;"
	 "CREATE INDEX suppression_lifted ON suppression(at_ms) WHERE lifted <> 0;"),
};
const size_t migrate_step_count = sizeof(migrate_steps) / sizeof(migrate_steps[0]);

static int
number_read(sqlite3 *db, const char *sql, int *number_r)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return -1;
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*number_r = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return rc == SQLITE_ROW ? 0 : -1;
}

int
migrate_run(sqlite3 *db, const char *const *steps, size_t count, char *why, size_t why_size)
{
	int version, application, tables;
	char pragma[64];

	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		goto failed;
	if (number_read(db, "PRAGMA user_version", &version) != 0 ||
	    number_read(db, "PRAGMA application_id", &application) != 0 ||
	    number_read(db, "SELECT count(*) FROM sqlite_schema", &tables) != 0)
		goto roll_back;
	if (version < 0 || (tables > 0 && application != APPLICATION_ID)) {
		snprintf(why, why_size, "the database is not a spool of pmrelay");
		goto roll_back_told;
	}
	if ((size_t)version > count) {
		snprintf(why, why_size,
		    "the spool has schema version %d, this program knows versions up to %zu: "
		    "run the newer pmrelay that wrote it",
		    version, count);
		goto roll_back_told;
	}
	if ((size_t)version == count) {
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return 0;
	}
	for (size_t i = (size_t)version; i < count; i++)
		if (sqlite3_exec(db, steps[i], NULL, NULL, NULL) != SQLITE_OK)
			goto roll_back;
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%zu", count);
	if (sqlite3_exec(db, pragma, NULL, NULL, NULL) != SQLITE_OK)
		goto roll_back;
	snprintf(pragma, sizeof(pragma), "PRAGMA application_id=%d", APPLICATION_ID);
	if (sqlite3_exec(db, pragma, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		goto roll_back;
	return 0;

roll_back:
	snprintf(why, why_size, "bringing the spool's schema up to date: %s", sqlite3_errmsg(db));
roll_back_told:
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
failed:
	snprintf(why, why_size, "opening the spool's database: %s", sqlite3_errmsg(db));
	return -1;
}
