#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "store/migrate.h"

static const char *const steps[] = {
	"CREATE TABLE a(x); INSERT INTO a VALUES(1)",
	"ALTER TABLE a ADD COLUMN y; UPDATE a SET y=x+1",
	"CREATE TABLE b(z); INSERT INTO b SELECT x+y FROM a",
};
static const char *const broken_steps[] = {
	"CREATE TABLE a(x); INSERT INTO a VALUES(1)",
	"UPDATE a SET x=2",
	"CREATE TABLE a(again)",
};

static int
setup(void **state)
{
	sqlite3 *db;

	if (sqlite3_open(":memory:", &db) != SQLITE_OK)
		return -1;
	*state = db;
	return 0;
}

static int
teardown(void **state)
{
	return sqlite3_close(*state) == SQLITE_OK ? 0 : -1;
}

static int
number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s;
	int n = -1;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	if (sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return n;
}

static void
test_in_order(void **state)
{
	sqlite3 *db = *state;
	char why[200] = "";

	assert_int_equal(migrate_run(db, steps, 3, why, sizeof(why)), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), 3);
	assert_int_equal(number(db, "SELECT z FROM b"), 3);
	/* Nothing to do the second time. */
	assert_int_equal(migrate_run(db, steps, 3, why, sizeof(why)), 0);
	assert_int_equal(number(db, "SELECT count(*) FROM b"), 1);
}

static void
test_from_an_older_one(void **state)
{
	sqlite3 *db = *state;
	char why[200] = "";

	assert_int_equal(migrate_run(db, steps, 1, why, sizeof(why)), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), 1);
	assert_int_equal(sqlite3_exec(db, "UPDATE a SET x=10", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(migrate_run(db, steps, 3, why, sizeof(why)), 0);
	/* The steps that were missing, on the data that was there. */
	assert_int_equal(number(db, "SELECT z FROM b"), 21);
}

static void
test_newer(void **state)
{
	sqlite3 *db = *state;
	char why[200] = "";

	assert_int_equal(migrate_run(db, steps, 3, why, sizeof(why)), 0);
	assert_int_equal(migrate_run(db, steps, 2, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "version 3"));
	assert_non_null(strstr(why, "newer"));
	assert_int_equal(number(db, "PRAGMA user_version"), 3);
}

static void
test_all_or_none(void **state)
{
	sqlite3 *db = *state;
	char why[200] = "";

	assert_int_equal(migrate_run(db, broken_steps, 1, why, sizeof(why)), 0);
	assert_int_equal(migrate_run(db, broken_steps, 3, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "already exists"));
	assert_int_equal(number(db, "PRAGMA user_version"), 1);
	assert_int_equal(number(db, "SELECT x FROM a"), 1);
}

static void
test_strangers(void **state)
{
	sqlite3 *db = *state;
	char why[200] = "";

	assert_int_equal(sqlite3_exec(db, "CREATE TABLE cookies(a)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(migrate_run(db, steps, 3, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "not a spool"));
	assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema"), 1);
}

/* The steps of this program make a schema that its own statements fit; store_test runs those. */
static void
test_ours(void **state)
{
	sqlite3 *db = *state;
	char why[200] = "";

	assert_int_equal(migrate_run(db, migrate_steps, migrate_step_count, why, sizeof(why)), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), (int)migrate_step_count);
	assert_int_equal(number(db, "SELECT count(*) FROM tally"), 9);
}

/* A spool of version 3: what is in it stays, and nothing happened to it yet. */
static void
test_ours_from_3(void **state)
{
	sqlite3 *db = *state;
	char why[200] = "";

	assert_int_equal(migrate_run(db, migrate_steps, 3, why, sizeof(why)), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), 3);
	assert_int_equal(
	    sqlite3_exec(db,
		"INSERT INTO mail VALUES(1,'id',5,'','','','','','','','',9);"
		"INSERT INTO item(key, route, state, due_ms, attempt, history, put_aside,"
		" payload_at, payload_bytes, message_bytes, ended_ms, recipients, postmark_id)"
		" VALUES(1048577,1,6,0,1,1,0,0,10,10,7,'a@b.example','pm-1')",
		NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(migrate_run(db, migrate_steps, migrate_step_count, why, sizeof(why)), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), (int)migrate_step_count);
	assert_int_equal(
	    number(db, "SELECT count(*) FROM item WHERE state=6 AND postmark_id='pm-1' AND"
		       " ended_ms=7 AND fates=0 AND proof=0"),
	    1);
	assert_int_equal(
	    number(db, "SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM event_mark)"
		       " + (SELECT count(*) FROM outlet) + (SELECT count(*) FROM suppression)"
		       " + (SELECT count(*) FROM hook)"),
	    0);
	assert_int_equal(number(db, "SELECT count(*) FROM tally"), 9);
	/* Nor does a program of before read it any more. */
	assert_int_equal(migrate_run(db, migrate_steps, 3, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "version 5"));
}

/* A spool of version 4: whoever is suppressed there is so still. */
static void
test_ours_from_4(void **state)
{
	sqlite3 *db = *state;
	char why[200] = "";

	assert_int_equal(migrate_run(db, migrate_steps, 4, why, sizeof(why)), 0);
	assert_int_equal(sqlite3_exec(db,
			     "INSERT INTO suppression VALUES"
			     "('default','outbound','a@b.example','HardBounce','Recipient',7)",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(migrate_run(db, migrate_steps, migrate_step_count, why, sizeof(why)), 0);
	assert_int_equal(
	    number(db, "SELECT count(*) FROM suppression WHERE lifted=0 AND at_ms=7"), 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_in_order),
		TEST(test_from_an_older_one),
		TEST(test_newer),
		TEST(test_all_or_none),
		TEST(test_strangers),
		TEST(test_ours),
		TEST(test_ours_from_3),
		TEST(test_ours_from_4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
