EXTRA_DIST += contrib/quickstart contrib/test contrib/common.sh
