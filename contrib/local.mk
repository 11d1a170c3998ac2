EXTRA_DIST += contrib/quickstart contrib/test
